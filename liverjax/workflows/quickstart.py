"""What `quickstart` does: everything once, from an archive to a segmentation with its scores."""

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from liverjax.choices import Stage
from liverjax.config import DatasetConfig, ExperimentConfig
from liverjax.datasets.collection import Collection
from liverjax.datasets.ircadb.layout import find_patients, read_patient
from liverjax.datasets.phantom.archive import write_phantom_archive
from liverjax.datasets.phantom.patient import PhantomSpec
from liverjax.datasets.splits import divide, patient_number, patient_split
from liverjax.errors import SplitError
from liverjax.evaluation.case import CaseScore
from liverjax.evaluation.threshold_baseline import ThresholdBaseline, threshold_baseline
from liverjax.inference.cascade import compose
from liverjax.inference.load import load_networks
from liverjax.io.atomic import make_folder
from liverjax.io.ct import Scan
from liverjax.reporting.score_tables import short_table
from liverjax.reporting.table import plain_text
from liverjax.workflows.build_dataset import build_dataset
from liverjax.workflows.calibrate import calibrate
from liverjax.workflows.case_files import PREVIEW
from liverjax.workflows.figures import evaluate_and_draw
from liverjax.workflows.predict import predict
from liverjax.workflows.prepared import open_prepared
from liverjax.workflows.report import EVALUATION, PAGE
from liverjax.workflows.train import train

_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class QuickstartResult:
    """What a quickstart found out, and where it lies.

    Attributes:
        scores: the cascade on each held-out patient.
        baselines: the best single threshold on the same patients, per stage; without the stages
            that no held-out patient has a structure for.
        predicted: name of the patient whose prediction is written out.
        workdir: holds `archive/` (phantoms), `data/`, `liver/`, `tumor/`, `prediction/`,
            and the report of the evaluation, see `liverjax.workflows.report`.
    """

    scores: list[CaseScore]
    baselines: dict[Stage, ThresholdBaseline]
    predicted: str
    workdir: Path


def quickstart(
    workdir: Path,
    liver: ExperimentConfig,
    tumor: ExperimentConfig,
    manual_dir: Path | None = None,
    spec: PhantomSpec | None = None,
) -> QuickstartResult:
    """Builds a dataset, trains both networks, calibrates, evaluates and predicts one patient.

    Phantoms, dataset and networks that an earlier call in the same workdir finished are taken over.

    Args:
        workdir: where everything is written.
        liver, tumor: the two experiments; their patients are those of the phantoms.
        manual_dir: archives of real patients to use in place of phantoms; they are divided
            at random, the same way every time.
        spec: of the phantoms.

    Raises:
        LiverjaxError: whatever its parts raise.
    """
    data_dir = make_folder(workdir) / "data"
    if manual_dir is None:
        manual_dir = workdir / "archive"
        _write_phantoms(manual_dir, liver.dataset, spec or PhantomSpec())
    else:
        sides = _divide_real(manual_dir, liver.dataset.name)
        liver, tumor = (dataclasses.replace(each, dataset=sides) for each in (liver, tumor))
    _LOGGER.info("Building the dataset")
    build_dataset(liver.dataset.name, manual_dir, data_dir)
    collection = open_prepared(liver.dataset.name, data_dir)
    runs = {Stage.LIVER: workdir / "liver", Stage.TUMOR: workdir / "tumor"}
    for config in (liver, tumor):
        _LOGGER.info("Training the %s network", config.stage.value)
        train(config, collection, runs[config.stage])
    _LOGGER.info("Choosing thresholds on the validation patients")
    networks = calibrate(load_networks(runs, calibrated=False), collection)
    _LOGGER.info("Evaluating the cascade on held-out patients")
    scores = list(evaluate_and_draw(networks, collection, workdir).cases)
    shown = _most_telling(scores)
    source = find_patients(manual_dir)[patient_number(shown)]
    cascade = compose(networks[Stage.LIVER], networks[Stage.TUMOR])
    predict(Scan(read_patient(source).volume), cascade, workdir / "prediction")
    return QuickstartResult(scores, _baselines(collection, scores), shown, workdir)


def _write_phantoms(folder: Path, sides: DatasetConfig, spec: PhantomSpec) -> None:
    """Writes the phantoms that are not there yet; each archive appears whole or not at all."""
    numbers = [
        number
        for number in sorted(map(patient_number, (*sides.train, *sides.validation, *sides.test)))
        if not (folder / f"3Dircadb1.{number}.zip").exists()
    ]
    with tqdm(total=len(numbers), desc="phantoms", unit="patient", disable=None) as bar:

        def advance(_: int) -> None:
            bar.update()

        write_phantom_archive(folder, numbers, spec, advance)


def _divide_real(manual_dir: Path, name: str) -> DatasetConfig:
    """A fifth of the patients found for testing, a tenth to select checkpoints by."""
    patients = [patient_split(number) for number in find_patients(manual_dir)]
    if len(patients) < 3:
        raise SplitError(
            f"{manual_dir}: expected at least 3 patients, one each to train, select and test on; "
            f"found {', '.join(patients)}"
        )
    validation, test = max(1, len(patients) // 10), max(1, len(patients) // 5)
    return DatasetConfig(name, **divide(patients, validation=validation, test=test, seed=0))


def _most_telling(scores: Sequence[CaseScore]) -> str:
    """The first patient with tumour, or the first at all."""
    return next((score.case for score in scores if _has_tumor(score)), scores[0].case)


def _has_tumor(score: CaseScore) -> bool:
    return score.tumor is not None and score.tumor.dice is not None


def _baselines(
    collection: Collection, scores: Sequence[CaseScore]
) -> dict[Stage, ThresholdBaseline]:
    """The threshold baseline on the patients scored, for the stages that it is defined for."""
    volumes = [collection.read(score.case) for score in scores]
    cases = [(volume.hu, reference.labels) for volume, reference in volumes]
    present = {
        Stage.LIVER: [score.liver.dice is not None for score in scores],
        Stage.TUMOR: [_has_tumor(score) for score in scores],
    }
    defined = [stage for stage in Stage if any(present[stage])]
    return {stage: threshold_baseline(cases, stage) for stage in defined}


def format_result(result: QuickstartResult) -> str:
    """The scores beside the baseline, and where everything lies, in plain text."""
    best = "; ".join(
        f"{stage.value} {baseline.mean_dice:.3f} "
        f"({'above' if baseline.above else 'below'} {baseline.threshold:.0f} HU)"
        for stage, baseline in result.baselines.items()
    )
    return "\n".join(
        [
            "The cascade on held-out patients, end to end:",
            plain_text(short_table(result.scores)),
            "",
            f"Best single threshold and largest component, mean Dice on the same: {best}",
            "",
            f"networks     {result.workdir / 'liver'}, {result.workdir / 'tumor'}",
            f"scores       {result.workdir / EVALUATION}",
            f"report       {result.workdir / PAGE}",
            f"{result.predicted}    {result.workdir / 'prediction' / PREVIEW} (and beside it)",
        ]
    )
