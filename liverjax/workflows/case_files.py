"""The files of a prediction, and how to tell that they are those of a CT, networks and flags."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset

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
    hu, geometry = scan.volume.hu, scan.volume.geometry
    digest = hashlib.sha256(repr((hu.shape, geometry.spacing_known)).encode())
    digest.update(np.ascontiguousarray(hu, dtype="<i2").data)
    digest.update(np.ascontiguousarray(geometry.affine, dtype="<f8").data)
    if scan.source is not None:
        for dataset in scan.source.files:
            digest.update(repr([text(dataset, uid) for uid in _UIDS]).encode())
        if not anonymize:
            digest.update(repr(_values(scan.source.files[0])).encode("utf-8", "replace"))
    return digest.hexdigest()


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

    `report.json` is written last and removed first, so the others are of its run. What could not
    be made then could not be made now.
    """
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        made = report["made"]
        left_out = made["left_out"]
        files = [name for name in expected["made"]["files"] if name not in left_out]
        wanted = {**expected, "made": {**expected["made"], "files": files, "left_out": left_out}}
        wanted = json.loads(json.dumps(wanted))
        same = all(report[key] == value for key, value in wanted.items())
    except (OSError, ValueError, LookupError, TypeError):
        return False  # nothing there, or another program's
    return same and all((folder / name).is_file() for name in files)
