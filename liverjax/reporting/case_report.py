"""What is said of the segmentation of one CT, for programs; docs/REPORT.md lists every field."""

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from nibabel import orientations

from liverjax.reporting.measurements import Measurements, measure, to_json
from liverjax.volume import Segmentation, Volume

SCHEMA_VERSION = 3
NOTICE = "Research use only; not a medical device."
NO_LIVER = (
    "No liver was found in this CT, or too little to be sure of it. Does it show the upper "
    "abdomen, and are its values Hounsfield units?"
)
UNKNOWN_SPACING = (
    "The voxel size of this CT is not known, so there are no figures in mm or mL and no positions "
    "in the patient."
)
MENDED = (
    "This CT was mended as it was read. All figures and segmentation.nii.gz are of the mended "
    "grid; segmentation.dcm lies on the slices as they were."
)

_SIDES = (("R", "L"), ("A", "P"), ("I", "S"))


def build_report(
    volume: Volume,
    segmentation: Segmentation,
    *,
    source: Mapping[str, Any],
    repairs: Sequence[str] = (),
) -> dict[str, Any]:
    """What `report.json` says; names neither the input nor the patient.

    Args:
        volume: the CT.
        segmentation: what was found in it.
        source: by what it was found, see `liverjax.workflows.sources.describe_source`; the names
            of its cases are left out.
        repairs: what was mended to read the CT, a sentence each that names no file.

    Returns:
        Plain numbers, texts, lists and dicts, as `schema` describes them.

    Raises:
        InputError: the CT and the segmentation lie on different grids.
    """
    measured = measure(segmentation, volume)
    report = {
        "schema_version": SCHEMA_VERSION,
        "notice": NOTICE,
        "messages": _messages(volume, measured, repairs),
        "shape": volume.hu.shape,
        "spacing_mm": volume.geometry.spacing,
        "orientation": "".join(orientations.aff2axcodes(volume.geometry.affine, _SIDES)),
        **to_json(measured),
        "source": {name: value for name, value in source.items() if name != "cases"},
        "repairs": repairs,
    }
    # As a reader of the file gets it: tuples are lists.
    return json.loads(json.dumps(report, allow_nan=False))


def schema() -> dict[str, Any]:
    """The JSON Schema of `report.json`."""
    file = resources.files("liverjax.reporting") / "report.schema.json"
    return json.loads(file.read_text(encoding="utf-8"))


def _messages(volume: Volume, measured: Measurements, repairs: Sequence[str]) -> list[str]:
    """What a reader must know before the figures."""
    messages = []
    if not measured.liver_voxels:
        messages.append(NO_LIVER)
    if not volume.geometry.spacing_known:
        messages.append(UNKNOWN_SPACING)
    if repairs:
        messages.append(MENDED)
    return messages
