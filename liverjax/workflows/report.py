"""The report of an evaluation: tables for people and programs, and figures."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from liverjax.errors import InputError
from liverjax.evaluation.aggregate import aggregate, seen_among
from liverjax.evaluation.case import STRUCTURES, CaseScore
from liverjax.evaluation.cases_json import cases_from_json, cases_to_json
from liverjax.evaluation.confusion import pool
from liverjax.evaluation.tables import check_names, write_lesions, write_per_case
from liverjax.io.atomic import make_folder, staging, write_json, write_text
from liverjax.reporting.confusion import save_confusion
from liverjax.reporting.document import score_document
from liverjax.reporting.html import html_report
from liverjax.reporting.markdown import markdown_report
from liverjax.reporting.scores import save_bland_altman, save_detection, save_dice
from liverjax.wording import counted, listed
from liverjax.workflows.sources import check_sources

EVALUATION = "evaluation.json"
PER_CASE = "per_case.csv"
LESIONS = "lesions.csv"
AGGREGATE = "aggregate.json"
SOURCES = "sources.json"
TABLE = "table.md"
PAGE = "index.html"
FIGURES = "figures"
PANELS = "panels_"
"""Pictures of single cases are `panels_<case>.png`."""

_CAPTIONS = {
    "dice.png": "Dice of every case; a cross where the reference has no such structure",
    "bland_altman.png": (
        "Volumes of prediction and reference (Bland-Altman), with the bias and 1.96 standard "
        "deviations beside it. Cases of unknown voxel size, and those without the structure on "
        "both sides, are left out; those with it on one side are not."
    ),
    "detection.png": (
        "Lesions of the reference detected, those that one prediction joins as one, by the "
        "diameter of a sphere of their volume (by voxels where no voxel size is known)"
    ),
    "confusion_liver.png": "Voxels of the liver, all cases together",
    "confusion_tumor.png": "Voxels of the tumours, all cases together",
    "training_liver.png": "Training of the liver network",
    "training_tumor.png": "Training of the tumour network",
}
# What an earlier report may have drawn; other files in `figures/` are not ours.
_OURS = (*_CAPTIONS, f"{PANELS}*.png")


class Evaluation(NamedTuple):
    """The scores of an evaluation.

    Attributes:
        cases: one per case.
        seen: names of those that the networks were trained or selected on.
        sources: how they came about, see `liverjax.workflows.sources.describe_source`.
    """

    cases: Sequence[CaseScore]
    seen: Sequence[str] = ()
    sources: Sequence[dict[str, Any]] = ()


def write_report(
    folder: Path, evaluation: Evaluation, figures: Sequence[Path] = ()
) -> dict[str, Any]:
    """Writes all that is to be known of an evaluation.

    `evaluation.json`: `{"seen": [...], "cases": [...]}`, without loss, see `read_evaluation`.
    `sources.json`: how the scores came about. `per_case.csv`, `lesions.csv`: see
    `liverjax.evaluation.tables`. `aggregate.json`: see `liverjax.evaluation.aggregate`.
    `table.md` and `index.html`: tables to read, the latter with the pictures in `figures/`: Dice
    per case, volumes, detection by size, voxels of all cases, and those given. What names
    cases or sums them up says which were seen.

    Nothing in `folder` changes until all is made. Then the files take their places one by one,
    pictures of an earlier report go, and `evaluation.json` comes last.

    Args:
        folder: made where it is absent.
        evaluation: at least one case, all of different names.
        figures: pictures to copy in, named `training_<stage>.png` and `panels_<case>.png`.

    Returns:
        What `aggregate.json` holds.

    Raises:
        InputError: no case, two of one name, or `folder` cannot be a folder.
    """
    cases, seen = evaluation.cases, seen_among(evaluation.cases, evaluation.seen)
    check_names([case.case for case in cases], str(folder))
    summary = aggregate(cases, seen)
    with staging(folder / ".unfinished-report") as made:
        drawn = make_folder(made / FIGURES)
        for picture in figures:
            shutil.copyfile(picture, drawn / picture.name)
        _draw(drawn, cases, seen)
        write_per_case(made / PER_CASE, cases, seen)
        write_lesions(made / LESIONS, cases, seen)
        write_json(made / AGGREGATE, summary)
        write_json(made / SOURCES, list(evaluation.sources))
        document = score_document(cases, summary, evaluation.sources)
        write_text(made / TABLE, markdown_report(document))
        shown = [(f"{FIGURES}/{name}", _caption(name, seen)) for name in _order(drawn)]
        files = (PER_CASE, LESIONS, AGGREGATE, TABLE, SOURCES, EVALUATION)
        write_text(made / PAGE, html_report(document, shown, files))
        write_json(made / EVALUATION, {"seen": seen, "cases": cases_to_json(cases)})
        # Its absence says of a report that was cut off from here on that it is not whole.
        (folder / EVALUATION).unlink(missing_ok=True)
        _replace_figures(folder / FIGURES, drawn)
        for name in (*files[:-1], PAGE, EVALUATION):
            (made / name).replace(folder / name)
    return summary


def read_evaluation(folder: Path) -> Evaluation:
    """The cases of a report.

    Raises:
        InputError: there is none, or a file of it is damaged; names the file and the field.
    """
    path = folder / EVALUATION
    data = _read_json(path)
    if not isinstance(data, dict):
        raise InputError(f"{path}: expected an object, found {data!r:.60}")
    seen = data.get("seen")
    if not isinstance(seen, list) or not all(isinstance(name, str) for name in seen):
        raise InputError(f"{path}: seen: expected a list of names, found {seen!r:.60}")
    cases = cases_from_json(data.get("cases"), str(path))
    if not (folder / SOURCES).is_file():
        raise InputError(f"{folder / SOURCES}: missing; delete {EVALUATION} to judge again")
    sources = _read_json(folder / SOURCES)
    check_sources(sources, str(folder / SOURCES))
    return Evaluation(cases, tuple(seen), sources)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: no evaluation ({error})") from error


def _draw(folder: Path, cases: Sequence[CaseScore], seen: Sequence[str]) -> None:
    """The pictures that are made of scores alone."""
    notice = f"not held out: {listed(seen)}" if seen else ""
    save_dice(folder / "dice.png", cases, notice)
    if any(case.voxel_ml is not None for case in cases):
        save_bland_altman(folder / "bland_altman.png", cases, notice)
    if any(lesion.reference_voxels for case in cases for lesion in case.lesions):
        save_detection(folder / "detection.png", cases, notice)
    for name, structure in zip(STRUCTURES, ("liver", "tumour"), strict=True):
        scores = [score for case in cases if (score := case.structure(name)) is not None]
        if not scores:
            continue
        pooled = pool(score.confusion for score in scores)
        dice = "not defined" if pooled.dice is None else f"{pooled.dice:.3f}"
        title = (
            f"{structure}: all voxels of {counted(len(scores), 'case')}\n"
            f"Dice of the voxels together: {dice}"
        )
        save_confusion(folder / f"confusion_{name}.png", pooled, structure, title, notice)


def _order(drawn: Path) -> list[str]:
    """Names of the pictures: those of all cases first."""
    names = sorted(path.name for path in drawn.iterdir())
    first = [name for name in _CAPTIONS if name in names]
    return first + [name for name in names if name not in first]


def _caption(name: str, seen: Sequence[str]) -> str:
    case = name.removeprefix(PANELS).removesuffix(".png")
    marked = " (not held out)" if case in seen else ""
    return _CAPTIONS.get(name, f"Slices of {case}{marked}")


def _replace_figures(folder: Path, drawn: Path) -> None:
    """Moves pictures to `folder`, in place of those of an earlier report."""
    outdated = {path.name for pattern in _OURS for path in folder.glob(pattern)}
    make_folder(folder)
    for path in sorted(drawn.iterdir()):
        path.replace(folder / path.name)
        outdated.discard(path.name)
    for name in outdated:
        (folder / name).unlink()
