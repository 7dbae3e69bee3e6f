"""The files of a prediction, and how to tell whose they are: of which CT, networks and flags."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset

from liverjax.errors import InputError
from liverjax.io.ct import Scan
from liverjax.io.dicom.tags import text

SEGMENTATION = "segmentation.nii.gz"
OBJECT = "segmentation.dcm"
FRACTIONAL = "segmentation_fractional.dcm"
LIVER_PROBABILITY = "liver_probability.nii.gz"
TUMOR_PROBABILITY = "tumor_probability.nii.gz"
PREVIEW = "preview.png"
PAGE = "report.html"
REPORT = "report.json"
FILES = (
    SEGMENTATION,
    OBJECT,
    FRACTIONAL,
    LIVER_PROBABILITY,
    TUMOR_PROBABILITY,
    PREVIEW,
    PAGE,
    REPORT,
)
# There while a result takes its place, so that a stop in between does not make its files, which
# no report lists then, look like somebody else's.
MARKER = ".result.json"
# What reading JSON raises that is not there or not ours; it nests as deep as its author likes.
_UNREADABLE = (OSError, ValueError, LookupError, TypeError, RecursionError)
_UIDS = (
    "SOPInstanceUID",
    "SOPClassUID",
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "FrameOfReferenceUID",
)


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What to write besides the usual.

    Attributes:
        probabilities: the probabilities of both networks as NIfTI files.
        fractional: they as a DICOM segmentation object; of DICOM input only.
        anonymize: leave the patient's identity out of DICOM objects.
    """

    probabilities: bool = False
    fractional: bool = False
    anonymize: bool = False


def check_wanted(scan: Scan, wanted: Wanted) -> None:
    """Refuses what cannot be made of a CT.

    Raises:
        InputError: a DICOM object is wanted of NIfTI input.
    """
    if wanted.fractional and scan.source is None:
        raise InputError("--fractional: expected DICOM input, found NIfTI")


def files_of(scan: Scan, wanted: Wanted) -> list[str]:
    """Names of the files that a prediction consists of, `report.json` aside, in order."""
    dicom = scan.source is not None
    present = {
        SEGMENTATION: True,
        PREVIEW: True,
        PAGE: True,
        OBJECT: dicom,
        FRACTIONAL: dicom and wanted.fractional,
        LIVER_PROBABILITY: wanted.probabilities,
        TUMOR_PROBABILITY: wanted.probabilities,
    }
    return sorted(name for name, there in present.items() if there)


def describe_result(scan: Scan, wanted: Wanted, left_out: Sequence[str] = ()) -> dict[str, Any]:
    """What a result is of, for `report.json`.

    Returns:
        `input`: fingerprint of the CT; `anonymized`; `files`: those that belong to it, and
        `left_out`: those that could not be made.
    """
    return {
        "input": fingerprint(scan, anonymize=wanted.anonymize),
        "anonymized": wanted.anonymize,
        "files": [name for name in files_of(scan, wanted) if name not in left_out],
        "left_out": sorted(left_out),
    }


def fingerprint(scan: Scan, *, anonymize: bool = False) -> str:
    """SHA-256 (hex) of a CT: its HU and grid, whether its voxel size is known, and its identity.

    The identity are the UIDs of the images, and all else that the first of them says unless
    `anonymize`: a segmentation object repeats it, so that a corrected name is another input. It is
    hashed together with the HU, so nobody without the CT can try out names.
    """
    return _fingerprints(scan)[scan.volume.geometry.spacing_known, anonymize]


def fingerprints(scan: Scan) -> set[str]:
    """All that `fingerprint` gives of a CT, whatever the flags were."""
    return set(_fingerprints(scan).values())


def _fingerprints(scan: Scan) -> dict[tuple[bool, bool], str]:
    """Fingerprints by whether the voxel size is known, and whether the patient is left out."""
    hu = scan.volume.hu
    images = hashlib.sha256(repr(hu.shape).encode())
    images.update(np.ascontiguousarray(hu, dtype="<i2").data)
    images.update(np.ascontiguousarray(scan.volume.geometry.affine, dtype="<f8").data)
    patient = b""
    if scan.source is not None:
        for dataset in scan.source.files:
            images.update(repr([text(dataset, uid) for uid in _UIDS]).encode())
        patient = repr(_values(scan.source.files[0])).encode("utf-8", "replace")
    found = {}
    for spacing_known in (False, True):
        for anonymize in (False, True):
            digest = images.copy()
            digest.update(repr(spacing_known).encode())
            digest.update(b"" if anonymize else patient)
            found[spacing_known, anonymize] = digest.hexdigest()
    return found


def _values(dataset: Dataset) -> list[tuple[int, str]]:
    """All that a data set says, by tag; a damaged value counts by its tag alone."""
    values = []
    with disable_value_validation():  # which would tell of every value that is out of order
        for tag in sorted(dataset.keys()):
            try:
                value = str(dataset[tag].value)
            except Exception:  # pydicom has no common class of what a damaged value raises
                value = ""
            values.append((int(tag), value))
    return values


def is_finished(folder: Path, expected: Mapping[str, Any]) -> bool:
    """Whether a folder holds a whole result whose report says all that is `expected` of it.

    `report.json` is written last and removed first, so the others are of its run. An object that
    could not be made then could not be made now: why lies in the tags, which are of the same CT.
    """
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        made = report["made"]
        left_out = made["left_out"]
        files = [name for name in expected["made"]["files"] if name not in left_out]
        wanted = {**expected, "made": {**expected["made"], "files": files, "left_out": left_out}}
        wanted = json.loads(json.dumps(wanted))
        same = all(report[key] == value for key, value in wanted.items())
    except _UNREADABLE:
        return False  # nothing there, or another program's
    return same and all((folder / name).is_file() for name in files)


def check_folder(folder: Path, scan: Scan, *, overwrite: bool = False) -> None:
    """Refuses a folder where a result of a CT would take the place of something else.

    Args:
        folder: for the result.
        scan: the CT.
        overwrite: the result of another CT may go.

    Raises:
        InputError: there is a file that no earlier result lists, or the result of another CT.
    """
    earlier_names(folder)
    earlier = _read(folder / REPORT)
    if earlier and not overwrite and earlier["made"]["input"] not in fingerprints(scan):
        raise InputError(
            f"{folder}: holds the result of another CT; give another --output, or --overwrite"
        )


def earlier_names(folder: Path) -> set[str]:
    """Names of the files of earlier results in a folder, which a new one may replace or delete.

    They are those that `report.json` lists, itself included, and, where a result was taking its
    place when the program was stopped, those of that and of the one before it.

    Raises:
        InputError: another file in the folder has the name of a result's.
    """
    report, begun = _read(folder / REPORT), _read(folder / MARKER)
    ours = set()
    if report:
        ours |= {REPORT, *report["made"]["files"]}
    # Of a result that has its report the marker is a left-over.
    if begun and not (report and report["made"] == begun["made"]):
        ours |= {*begun["made"]["files"], *begun["earlier"]}
    for name in FILES:
        path = folder / name
        # A folder takes nobody's place, whoever made it.
        there = path.is_symlink() or path.exists()
        if there and (name not in ours or (path.is_dir() and not path.is_symlink())):
            raise InputError(f"{path}: not of an earlier result; give another --output")
    if begun is None and (folder / MARKER).exists():
        raise InputError(f"{folder / MARKER}: not of an earlier result; give another --output")
    return ours.intersection(FILES)


def marker(made: Mapping[str, Any], earlier: set[str]) -> dict[str, Any]:
    """What `MARKER` says while a result (see `describe_result`) replaces files that are there."""
    return {"made": dict(made), "earlier": sorted(earlier)}


def recorded_input(folder: Path) -> str | None:
    """Fingerprint of the CT whose result a folder holds, or would hold but for a stop."""
    record = _read(folder / REPORT) or _read(folder / MARKER)
    return record["made"]["input"] if record else None


def _read(path: Path) -> dict[str, Any] | None:
    """A report or marker, `earlier` always there; None where it is absent or not ours."""
    try:
        if not path.is_file():  # a pipe would keep us waiting
            return None
        record = json.loads(path.read_text(encoding="utf-8"))
        made, earlier = record["made"], record.get("earlier", [])
        texts = [made["input"], *made["files"], *earlier]
    except (*_UNREADABLE, AttributeError):
        return None
    return {"made": made, "earlier": earlier} if all(isinstance(t, str) for t in texts) else None
