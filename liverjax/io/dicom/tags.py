"""Values of DICOM tags, each refused by the name of its file and its tag where it is wrong.

The plain types of most tags are read from their bytes: pydicom's way to a value takes ten times as
long, which in a series of hundreds of files is longer than everything else. It is asked for all
others.
"""

from functools import cache
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from liverjax.errors import InputError

_DECIMAL, _SHORT, _TEXT = ("DS", "IS"), {"US": False, "SS": True}, ("CS", "UI", "SH", "LO")
_tag = cache(Tag)  # by keyword
_vr = cache(dictionary_VR)


def has(dataset: Dataset, keyword: str) -> bool:
    """Whether a data set holds a tag, with a value or without."""
    return _tag(keyword) in dataset


def has_value(dataset: Dataset, keyword: str) -> bool:
    """Whether a data set holds a tag that is not empty; a damaged value is one."""
    try:
        return has(dataset, keyword) and _value(dataset, keyword) not in (None, "", [])
    except Exception:  # as below
        return True


def numbers(dataset: Dataset, keyword: str, count: int, path: PurePosixPath) -> np.ndarray:
    """The `count` finite numbers of a tag, float64 [count].

    Raises:
        InputError: missing, or something else; names `path` and the tag.
    """
    value = None
    try:
        value = _value(dataset, keyword)
        found = np.atleast_1d(np.array(value, dtype=np.float64))
        if found.shape == (count,) and np.isfinite(found).all():
            return found
    except Exception:  # pydicom has no common class of what a damaged value raises
        pass
    what = "missing" if value is None or value == "" else f"found {str(value)[:80]}"
    raise InputError(f"{path}: {keyword}: expected {count} numbers, {what}")


def integer(dataset: Dataset, keyword: str, path: PurePosixPath, default: int | None = None) -> int:
    """The one integer of a tag; `default`, where given, for a missing one.

    Raises:
        InputError: as `numbers`.
    """
    try:
        value = _value(dataset, keyword)
        if value is None and default is not None:
            return default
        number = float(value)
        if number.is_integer():
            return int(number)
    except Exception:  # as above
        pass
    raise InputError(f"{path}: {keyword}: expected an integer, missing or damaged")


def text(dataset: Dataset, keyword: str) -> str:
    """A tag as printable text of one line; empty where it is missing or damaged."""
    try:
        found = _value(dataset, keyword)
        value = "" if found is None else str(found).strip()
    except Exception:  # as above
        return ""
    if not value.isprintable():
        value = "".join(letter for letter in value if letter.isprintable()).strip()
    return value[:200]


def _value(dataset: Dataset, keyword: str) -> Any:
    """The value of a tag: a number, a text, or a list of either; None where it is missing."""
    if not has(dataset, keyword):
        return None
    item = dataset.get_item(_tag(keyword))
    if not isinstance(item, RawDataElement) or not item.value or not item.is_little_endian:
        return dataset.get(keyword)
    kind = item.VR or _vr(keyword)  # the implicit syntax names no types
    if kind in _DECIMAL and b"_" not in item.value:
        values = [float(part) for part in item.value.strip(b" \0").split(b"\\")]
        return values if len(values) > 1 else values[0]
    if kind in _SHORT and len(item.value) == 2:
        return int.from_bytes(item.value, "little", signed=_SHORT[kind])
    if kind in _TEXT and item.value.isascii() and b"\x1b" not in item.value:
        return item.value.decode("ascii").rstrip(" \0")
    return dataset.get(keyword)
