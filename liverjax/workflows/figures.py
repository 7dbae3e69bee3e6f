"""An evaluation with its report: training curves and slices of every patient beside the scores."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from liverjax.choices import Stage
from liverjax.datasets.collection import Collection
from liverjax.inference.load import LoadedNetwork
from liverjax.io.atomic import make_folder, staging
from liverjax.reporting.curves import save_curves
from liverjax.reporting.panels import save_panels
from liverjax.wording import counted
from liverjax.workflows.evaluate import Case, evaluate
from liverjax.workflows.report import PANELS, Evaluation, write_report
from liverjax.workflows.train import read_epochs

_LOGGER = logging.getLogger(__name__)
_STRUCTURES = {Stage.LIVER: "liver", Stage.TUMOR: "tumour"}


def evaluate_and_draw(
    networks: Mapping[Stage, LoadedNetwork],
    collection: Collection,
    output: Path,
    patients: Sequence[str] = (),
    *,
    allow_seen: bool = False,
) -> Evaluation:
    """Scores the cascade and writes its report, see `liverjax.workflows.report.write_report`.

    Among its figures are `training_liver.png` and `training_tumor.png`: loss and Dice per epoch
    of each run, where it has metrics; imported weights have none, which the log says.
    `panels_<patient>.png`: slices, truth and prediction of each patient, drawn as it is scored,
    so that no volume is kept.

    Nothing in `output` changes until all is made.

    Args:
        networks: both, by stage.
        collection, patients, allow_seen: see `liverjax.workflows.evaluate.evaluate`.
        output: folder, made where it is absent.

    Raises:
        SplitError, InputError: see `evaluate`; `output` cannot be a folder.
    """
    with staging(make_folder(output) / ".unfinished-figures") as drawn:

        def draw(case: Case) -> None:
            """Panels of one case, marked with what is special about it."""
            path = drawn / f"{PANELS}{case.patient}.png"
            notices = ["not held out"] if case.seen else []
            if not collection.summaries[case.patient].tumors_known:
                notices.append("tumours not annotated")
            notice = ", ".join(notices)
            save_panels(path, case.volume, case.prediction, case.reference, notice)

        found = evaluate(networks, collection, patients, allow_seen=allow_seen, on_case=draw)
        for stage in Stage:
            _draw_training(drawn, networks[stage].run, stage)
        write_report(output, found, sorted(drawn.iterdir()))
    return found


def _draw_training(folder: Path, run: Path | None, stage: Stage) -> None:
    name, title = f"training_{stage.value}.png", f"{_STRUCTURES[stage]} network"
    records, smaller = ([], 0) if run is None else read_epochs(run)
    if not records:
        _LOGGER.info("%s: holds no metrics of a training, so there is no %s", run, name)
        return
    if smaller:
        title += f"\nthe first {counted(smaller, 'epoch')} on a smaller input"
    save_curves(folder / name, records, title)
