"""Values of DICOM tags, each refused by the name of its file and its tag where it is wrong."""

from pathlib import PurePosixPath

import numpy as np
from pydicom.dataset import Dataset

from liverjax.errors import InputError


def numbers(dataset: Dataset, keyword: str, count: int, path: PurePosixPath) -> np.ndarray:
    """The `count` finite numbers of a tag, float64 [count].

    Raises:
        InputError: missing, or something else; names `path` and the tag.
    """
    value = None
    try:
        value = dataset.get(keyword)
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
        value = dataset.get(keyword)
        if value is None and default is not None:
            return default
        return int(value)
    except Exception as error:  # as above
        raise InputError(f"{path}: {keyword}: expected an integer, missing or damaged") from error


def text(dataset: Dataset, keyword: str) -> str:
    """A tag as printable text of one line; empty where it is missing or damaged."""
    try:
        value = str(dataset.get(keyword) or "")
    except Exception:  # as above
        return ""
    return "".join(letter for letter in value if letter.isprintable()).strip()[:200]
