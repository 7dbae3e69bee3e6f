"""What `dataset.json` says of the labels of a folder: that of the Decathlon, and nnU-Net's."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from liverjax.datasets.pairs.label_map import LabelMap
from liverjax.errors import InputError
from liverjax.io.nifti import SUFFIXES

FILE_NAME = "dataset.json"

_LIVER = "liver"
_ANY_TUMOR = {"tumor", "tumour", "cancer", "lesion", "hcc"}
_LIVER_TUMOR = {f"liver{name}" for name in _ANY_TUMOR}
# What is in the name of a label that may be a tumour of the liver, called otherwise.
_LIKE_TUMOR = re.compile("tumou?r|lesion|cancer|carcinom|metasta|hcc|mass|mas$|neoplas")
_ADVICE = "rename its labels to liver and tumor, or give --images, --labels and --label_map"


def read_label_map(folder: Path) -> LabelMap | None:
    """Liver and tumour by the names of labels in `dataset.json`; None where there is none.

    A label is a value, or in nnU-Net a region of several.

    Args:
        folder: with `imagesTr` and `labelsTr`.

    Raises:
        InputError: the file is damaged, of images that are no CT or no NIfTI, or names no liver.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(data, dict):
        raise InputError(f"{path}: expected an object, found {data!r:.60}")
    _check_images(data, path)
    labels = _labels(data.get("labels"), path)
    named = ", ".join(f"{name}: {value}" for name, value in data["labels"].items())
    if "ignore" in labels:
        raise InputError(f"{path}: labels: expected every voxel to be annotated, found ignore")
    if _LIVER not in labels:
        raise InputError(f"{path}: labels: expected liver, found {named}; {_ADVICE}")
    others = labels.keys() - {_LIVER, "background"}
    tumors = others & _LIVER_TUMOR or others & _ANY_TUMOR
    # A tumour beside other organs may be of any of them.
    if tumors - _LIVER_TUMOR and others - _ANY_TUMOR - _LIVER_TUMOR:
        raise InputError(
            f"{path}: labels: expected to know of which organ {', '.join(sorted(tumors))} is, "
            f"found {named}; {_ADVICE}"
        )
    # Passed over, its voxels would be holes in the liver.
    unclear = [name for name in others if not tumors and _LIKE_TUMOR.search(name)]
    if unclear:
        raise InputError(
            f"{path}: labels: expected to know whether {', '.join(sorted(unclear))} is a tumour of "
            f"the liver, found {named}; {_ADVICE}"
        )
    tumor = tuple(sorted({value for name in tumors for value in labels[name]}))
    try:
        return LabelMap(labels[_LIVER], tumor or None)
    except InputError as error:
        raise InputError(f"{path}: labels: {error}") from error


def _check_images(data: Mapping[str, Any], path: Path) -> None:
    """Refuses images of another kind than CT in NIfTI files."""
    channels = data.get("channel_names", data.get("modality", {"0": "CT"}))
    first = channels.get("0") if isinstance(channels, dict) else channels
    if str(first).upper() != "CT":
        raise InputError(f"{path}: channel_names: expected CT as 0, found {channels!r:.80}")
    ending = data.get("file_ending", SUFFIXES[-1])
    if ending not in SUFFIXES:
        raise InputError(
            f"{path}: file_ending: expected {' or '.join(SUFFIXES)}, found {ending!r:.40}"
        )
    if "dataset" in data:
        raise InputError(f"{path}: dataset: expected the files in imagesTr, found a list of paths")


def _labels(data: Any, path: Path) -> dict[str, tuple[int, ...]]:
    """Values by the plain name of each label; the Decathlon has it the other way round."""
    if not isinstance(data, dict) or not data:
        raise InputError(f"{path}: labels: expected names and values, found {data!r:.60}")
    if all(str(key).isdecimal() for key in data):
        pairs = [(str(name), [int(value)]) for value, name in data.items()]
    else:
        pairs = [(name, v if isinstance(v, list) else [v]) for name, v in data.items()]
    labels: dict[str, tuple[int, ...]] = {}
    for name, values in pairs:
        plain = re.sub(r"[^a-z]", "", name.lower())
        if plain not in labels and plain not in _ANY_TUMOR | _LIVER_TUMOR:
            plain = plain if plain == "hcc" else plain.removesuffix("s")
        if not all(type(value) is int for value in values) or not values:
            raise InputError(f"{path}: labels: {name}: expected whole numbers, found {values!r}")
        labels[plain] = (*labels.get(plain, ()), *values)
    return labels
