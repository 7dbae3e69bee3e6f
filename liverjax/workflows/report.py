"""The report of an evaluation: tables for people and programs, and figures."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from liverjax.errors import InputError
from liverjax.evaluation.aggregate import aggregate, seen_among
from liverjax.evaluation.case import STRUCTURES, CaseScore
from liverjax.evaluation.cases_json import cases_from_json, cases_to_json
from liverjax.evaluation.confusion import pool
from liverjax.evaluation.tables import check_names, write_lesions, write_per_case
from liverjax.io.atomic import make_folder, staging, write_json, write_text
from liverjax.reporting.confusion import save_confusion
from liverjax.reporting.html import html_report
from liverjax.reporting.markdown import markdown_report
from liverjax.reporting.scores import save_bland_altman, save_detection, save_dice

EVALUATION = "evaluation.json"
PER_CASE = "per_case.csv"
LESIONS = "lesions.csv"
AGGREGATE = "aggregate.json"
TABLE = "table.md"
PAGE = "index.html"
FIGURES = "figures"
PANELS = "panels_"
"""Pictures of single cases are `panels_<case>.png`."""

_CAPTIONS = {
    "dice.png": "Dice of every case",
    "bland_altman.png": "Volumes of prediction and reference (Bland-Altman)",
    "detection.png": "Lesions detected, by size",
    "confusion_liver.png": "Voxels of the liver, all cases together",
    "confusion_tumor.png": "Voxels of the tumours, all cases together",
    "training_liver.png": "Training of the liver network",
    "training_tumor.png": "Training of the tumour network",
}
# What an earlier report may have drawn; other files in `figures/` are not ours.
_OURS = (*_CAPTIONS, f"{PANELS}*.png")


def write_report(
    folder: Path,
    cases: Sequence[CaseScore],
    *,
    seen: Sequence[str] = (),
    figures: Sequence[Path] = (),
) -> None:
    """Writes all that is to be known of an evaluation.

    `evaluation.json`: `{"seen": [...], "cases": [...]}`, without loss, see `read_evaluation`.
    `per_case.csv`, `lesions.csv`: see `liverjax.evaluation.tables`. `aggregate.json`: see
    `liverjax.evaluation.aggregate`. `table.md` and `index.html`: tables to read, the latter with
    the pictures in `figures/`: Dice per case, volumes, detection by size, voxels of all cases,
    and those given.

    Nothing in `folder` changes until all is made. Then the files take their places one by one,
    pictures of an earlier report go, and `evaluation.json` comes last.

    Args:
        folder: made where it is absent.
        cases: at least one, of different names.
        seen: names of cases that the networks were trained or selected on. The report says so.
        figures: pictures to copy in, named `training_<stage>.png` and `panels_<case>.png`.

    Raises:
        InputError: no case, two of one name, or `folder` cannot be a folder.
    """
    check_names([case.case for case in cases], str(folder))
    summary = aggregate(cases, seen)
    with staging(folder / ".unfinished-report") as made:
        drawn = make_folder(made / FIGURES)
        for picture in figures:
            shutil.copyfile(picture, drawn / picture.name)
        _draw(drawn, cases)
        write_per_case(made / PER_CASE, cases, seen)
        write_lesions(made / LESIONS, cases)
        write_json(made / AGGREGATE, summary)
        write_text(made / TABLE, markdown_report(cases, summary))
        shown = [(f"{FIGURES}/{name}", _caption(name)) for name in _order(drawn)]
        files = (PER_CASE, LESIONS, AGGREGATE, TABLE, EVALUATION)
        write_text(made / PAGE, html_report(cases, summary, shown, files))
        data = {"seen": seen_among(cases, seen), "cases": cases_to_json(cases)}
        write_json(made / EVALUATION, data)
        # Its absence says of a report that was cut off from here on that it is not whole.
        (folder / EVALUATION).unlink(missing_ok=True)
        _replace_figures(folder / FIGURES, drawn)
        for name in (*files[:-1], PAGE, EVALUATION):
            (made / name).replace(folder / name)


class Evaluation(NamedTuple):
    """The scores of an evaluation.

    Attributes:
        cases: one per case.
        seen: names of those that the networks were trained or selected on.
    """

    cases: list[CaseScore]
    seen: tuple[str, ...] = ()


def read_evaluation(folder: Path) -> Evaluation:
    """The cases of a report.

    Raises:
        InputError: there is none, or `evaluation.json` is damaged; names the file and the field.
    """
    path = folder / EVALUATION
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: no evaluation ({error})") from error
    if not isinstance(data, dict):
        raise InputError(f"{path}: expected an object, found {data!r:.60}")
    seen = data.get("seen")
    if not isinstance(seen, list) or not all(isinstance(name, str) for name in seen):
        raise InputError(f"{path}: seen: expected a list of names, found {seen!r:.60}")
    return Evaluation(cases_from_json(data.get("cases"), str(path)), tuple(seen))


def _draw(folder: Path, cases: Sequence[CaseScore]) -> None:
    """The pictures that are made of scores alone."""
    save_dice(folder / "dice.png", cases)
    if any(case.voxel_ml is not None for case in cases):
        save_bland_altman(folder / "bland_altman.png", cases)
    if any(lesion.reference_voxels for case in cases for lesion in case.lesions):
        save_detection(folder / "detection.png", cases)
    people = "1 case" if len(cases) == 1 else f"{len(cases)} cases"
    for name, structure in zip(STRUCTURES, ("liver", "tumour"), strict=True):
        pooled = pool(getattr(case, name).confusion for case in cases)
        dice = "not defined" if pooled.dice is None else f"{pooled.dice:.3f}"
        title = f"{structure}: all voxels of {people}\nDice of the voxels together: {dice}"
        save_confusion(folder / f"confusion_{name}.png", pooled, structure, title)


def _order(drawn: Path) -> list[str]:
    """Names of the pictures: those of all cases first."""
    names = sorted(path.name for path in drawn.iterdir())
    first = [name for name in _CAPTIONS if name in names]
    return first + [name for name in names if name not in first]


def _caption(name: str) -> str:
    case = name.removeprefix(PANELS).removesuffix(".png")
    return _CAPTIONS.get(name, f"Slices of {case}")


def _replace_figures(folder: Path, drawn: Path) -> None:
    """Moves pictures to `folder`, in place of those of an earlier report."""
    outdated = {path.name for pattern in _OURS for path in folder.glob(pattern)}
    make_folder(folder)
    for path in sorted(drawn.iterdir()):
        path.replace(folder / path.name)
        outdated.discard(path.name)
    for name in outdated:
        (folder / name).unlink()
