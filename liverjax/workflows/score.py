"""What `score` does: segmentations made by any tool, judged against references."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from liverjax.errors import InputError
from liverjax.evaluation.case import CaseScore
from liverjax.evaluation.score import score_case
from liverjax.io.atomic import make_folder, staging
from liverjax.io.nifti import SUFFIXES, is_nifti, read_labels, read_nifti
from liverjax.reporting.panels import save_panels
from liverjax.volume import check_same_grid
from liverjax.wording import listed
from liverjax.workflows.report import PANELS, Evaluation, write_report
from liverjax.workflows.sources import describe_source

# LiTS names the CT, its reference and a submission after the same number.
_LITS = re.compile(r"(?:test-)?(volume|segmentation)-(\d+)")
_LISTED = 10


def score(
    predictions: Path,
    references: Path,
    output: Path,
    *,
    images: Path | None = None,
    spacing_known: bool | None = None,
) -> tuple[list[CaseScore], dict[str, Any]]:
    """Scores every prediction against the reference of its name, and writes the report.

    Files are NIfTI, 0 background, 1 liver, 2 tumour. A prediction has the name of its reference;
    one may end in .nii and the other in .nii.gz. Of the names that LiTS uses the number alone
    counts: `test-segmentation-5.nii` is judged against `segmentation-5.nii`, whose CT is
    `volume-5.nii`.

    Args:
        predictions, references: folders that hold the same cases.
        output: folder for the report, see `liverjax.workflows.report.write_report`.
        images: folder of the CTs, which may hold more of them; without it the slices are drawn
            on black.
        spacing_known: see `liverjax.io.nifti.read_nifti`.

    Returns:
        The scores, in the order of the names of the references, and what they come to together,
        see `liverjax.evaluation.aggregate.aggregate`.

    Raises:
        InputError: a file without a partner, which is never left out in silence, two files of one
            case, files of one case on different grids, or one that cannot be read.
    """
    found, true = (find_cases(folder, "segmentation") for folder in (predictions, references))
    _check_partners(found, true, predictions, references)
    pictures = {} if images is None else find_cases(images, "volume")
    if images is not None:
        _check_all_there(true, pictures, images)
    scores = []
    with staging(make_folder(output) / ".unfinished-figures") as drawn:
        for key, path in tqdm(true.items(), desc="score", unit="case", disable=None):
            case = _stem(path)
            reference = read_labels(path, spacing_known=spacing_known)
            prediction = read_labels(found[key], spacing_known=spacing_known)
            check_same_grid(prediction, reference, (str(found[key]), str(path)))
            volume = None
            if key in pictures:
                volume = read_nifti(pictures[key], spacing_known=spacing_known)
                check_same_grid(volume, reference, (str(pictures[key]), str(path)))
            scores.append(score_case(case, prediction, reference))
            save_panels(drawn / f"{PANELS}{case}.png", volume, prediction, reference)
        source = describe_source([case.case for case in scores])
        summary = write_report(output, Evaluation(scores, (), (source,)), sorted(drawn.iterdir()))
    return scores, summary


def find_cases(folder: Path, role: str) -> dict[str, Path]:
    """NIfTI files of a folder by the name of their case, in the order of the files' names.

    Args:
        folder: of the files.
        role: "volume" or "segmentation", which of the two is taken of a number that LiTS has both
            of in one folder. Of the images of nnU-Net, `case_0000`, the channel is left out.

    Raises:
        InputError: no such folder, no NIfTI file in it, or two of one case.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    cases: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if not is_nifti(path) or path.name.startswith("."):
            continue
        stem = _stem(path)
        lits = _LITS.fullmatch(stem)
        key = lits[2] if lits else stem
        if role == "volume":
            key = key.removesuffix("_0000")
        if lits and key in cases and lits[1] != _role(cases[key]):
            if lits[1] == role:
                cases[key] = path
        elif key in cases:
            raise InputError(
                f"{folder}: expected one file per case, found {cases[key].name} and {path.name}"
            )
        else:
            cases[key] = path
    if not cases:
        raise InputError(f"{folder}: expected files that end in {' or '.join(SUFFIXES)}")
    return cases


def _role(path: Path) -> str | None:
    """What LiTS calls a file: volume or segmentation; None for other names."""
    lits = _LITS.fullmatch(_stem(path))
    return lits[1] if lits else None


def _check_partners(
    found: Mapping[str, Path], true: Mapping[str, Path], predictions: Path, references: Path
) -> None:
    problems = [
        f"{folder} has no {what} for {_listed([here[key] for key in here if key not in there])}"
        for folder, what, here, there in (
            (predictions, "prediction", true, found),
            (references, "reference", found, true),
        )
        if here.keys() - there.keys()
    ]
    if problems:
        raise InputError("; ".join(problems))


def _check_all_there(true: Mapping[str, Path], pictures: Mapping[str, Path], images: Path) -> None:
    missing = [path for key, path in true.items() if key not in pictures]
    if missing:
        raise InputError(f"{images} has no CT for {_listed(missing)}")


def _listed(paths: list[Path]) -> str:
    return listed([path.name for path in paths], _LISTED)


def _stem(path: Path) -> str:
    """The name of a NIfTI file without its suffix."""
    name = path.name
    longest = max((s for s in SUFFIXES if name.lower().endswith(s)), key=len)
    return name[: -len(longest)]
