"""The figures of an evaluation: training curves, panels of every patient, confusion matrices."""

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from liverjax.choices import Stage
from liverjax.evaluation.confusion import pool
from liverjax.evaluation.overlap import PatientScore
from liverjax.inference.load import LoadedNetwork
from liverjax.io.atomic import make_folder, staging
from liverjax.reporting.confusion import save_confusion
from liverjax.reporting.curves import save_curves
from liverjax.reporting.panels import save_panels
from liverjax.training.log import read_metrics
from liverjax.workflows.evaluate import Case, evaluate, write_evaluation

FIGURES = "figures"

_LOGGER = logging.getLogger(__name__)
_STRUCTURES = {Stage.LIVER: "liver", Stage.TUMOR: "tumour"}
_NAMES = ("training_*.png", "panels_*.png", "confusion_*.png")


def evaluate_and_draw(
    networks: Mapping[Stage, LoadedNetwork],
    runs: Mapping[Stage, Path],
    data_dir: Path,
    output: Path,
    patients: Sequence[str] = (),
) -> list[PatientScore]:
    """Scores the cascade and writes `evaluation.json` and, in `figures/`, what it looks like.

    `training_liver.png`, `training_tumor.png`: loss and Dice per epoch of each run, where it has
    metrics; imported weights have none, which the log says. `panels_<patient>.png`: slices, truth
    and prediction of each patient, drawn as it is scored, so that no volume is kept.
    `confusion_liver.png`, `confusion_tumor.png`: voxels of all patients together, see
    `PatientScore`.

    Nothing in `output` changes until all is made. Then the figures take their places one by one,
    those of an earlier evaluation go, and `evaluation.json` comes last.

    Args:
        networks: both, by stage.
        runs: the workdirs that they were loaded from.
        data_dir, patients: see `liverjax.workflows.evaluate.evaluate`.
        output: folder, made where it is absent.

    Raises:
        SplitError, InputError: see `evaluate`; `output` cannot be a folder.
    """
    with _replacing_figures(output / FIGURES) as made:

        def draw(case: Case) -> None:
            path = made / f"panels_{case.patient}.png"
            save_panels(path, case.volume, case.prediction, case.reference)

        scores = evaluate(
            networks[Stage.LIVER], networks[Stage.TUMOR], data_dir, patients, on_case=draw
        )
        for stage in Stage:
            _draw_training(made, runs[stage], stage)
            _draw_confusion(made, scores, stage)
    write_evaluation(output, scores)
    return scores


@contextlib.contextmanager
def _replacing_figures(folder: Path) -> Iterator[Path]:
    """Gives a folder to draw in; its figures take the place of those in `folder` on success.

    Files of other names in `folder` stay. Where the block raises, all is as it was.
    """
    with staging(folder.with_name(f".unfinished-{folder.name}")) as made:
        yield made
        # Of a patient who is not scored this time, or of a run that had metrics.
        outdated = {path.name for pattern in _NAMES for path in folder.glob(pattern)}
        make_folder(folder)
        for path in sorted(made.iterdir()):
            path.replace(folder / path.name)
            outdated.discard(path.name)
        for figure in outdated:
            (folder / figure).unlink()


def _draw_training(folder: Path, run: Path, stage: Stage) -> None:
    name = f"training_{stage.value}.png"
    records = read_metrics(run)
    if not records:
        _LOGGER.info("%s: holds no metrics of a training, so there is no %s", run, name)
        return
    save_curves(folder / name, records, f"{_STRUCTURES[stage]} network")


def _draw_confusion(folder: Path, scores: Sequence[PatientScore], stage: Stage) -> None:
    structure = _STRUCTURES[stage]
    of_stage = {
        Stage.LIVER: [score.liver_confusion for score in scores],
        Stage.TUMOR: [score.tumor_confusion for score in scores],
    }
    pooled = pool(of_stage[stage])
    dice = "not defined" if pooled.dice is None else f"{pooled.dice:.3f}"
    people = "1 patient" if len(scores) == 1 else f"{len(scores)} patients"
    title = f"{structure}: all voxels of {people}\nDice of the voxels together: {dice}"
    save_confusion(folder / f"confusion_{stage.value}.png", pooled, structure, title)
