"""A tree of weights as one file of plain NumPy arrays, each by its path in the tree.

They lie uncompressed in an .npz, as float16 where nothing measurable is lost (see `rounded`), else
as float32, and are read as float32. Equal trees give equal bytes.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from flax import traverse_util

from liverjax.errors import CheckpointError

# Relative error of rounding to float16, of numbers that it has all its digits for.
_EPSILON = 2.0**-11
# NumPy and zipfile have no common class of what damaged files raise.
_DAMAGED = (OSError, ValueError, LookupError, TypeError, EOFError, MemoryError, zipfile.BadZipFile)


def rounded(values: np.ndarray) -> np.ndarray:
    """An array as it is written: float16 where that costs no more than its last digit.

    Kernels are rounded: their errors, of 2^-11 of a weight at most, average out over the many
    products of a layer. Vectors (biases, scales, statistics) stay float32: they are a hundredth of
    the numbers, and a variance may be beyond what float16 can tell. So does a kernel with a value
    beyond float16, or of which all are so small that float16 rounds them by more than 2^-11 of the
    largest.

    Raises:
        CheckpointError: a value is not finite.
    """
    exact = np.asarray(values, np.float32)
    if not np.isfinite(exact).all():
        raise CheckpointError("expected finite weights, found NaN or infinity")
    if exact.ndim < 2:
        return exact
    with np.errstate(over="ignore"):
        short = exact.astype(np.float16)
    error = np.abs(short.astype(np.float32) - exact).max(initial=0)
    return short if error <= _EPSILON * np.abs(exact).max(initial=0) else exact


def write_arrays(path: Path, variables: Mapping[str, Any]) -> None:
    """Writes a tree of weights; what holds none is left out.

    Raises:
        CheckpointError: a value is not finite; names the array.
    """
    arrays = traverse_util.flatten_dict(variables, sep="/")
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(arrays):
            try:
                values = rounded(np.asarray(arrays[name]))
            except CheckpointError as error:
                raise CheckpointError(f"{name}: {error}") from error
            # By itself of 1980; the time or the system would make the bytes differ.
            item = zipfile.ZipInfo(f"{name}.npy")
            item.create_system = 3
            with archive.open(item, "w") as file:
                np.lib.format.write_array(file, values, allow_pickle=False)


def read_arrays(path: Path) -> dict[str, Any]:
    """The tree of a file that `write_arrays` wrote, of float32 arrays.

    Raises:
        ValueError: it is damaged, or another file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            # What is compressed may be of any size once it is read.
            if any(item.compress_type != zipfile.ZIP_STORED for item in archive.infolist()):
                raise ValueError("compressed")
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: _float32(values) for name, values in stored.items()}
        return traverse_util.unflatten_dict(arrays, sep="/")
    except _DAMAGED as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _float32(values: np.ndarray) -> np.ndarray:
    if values.dtype not in (np.float16, np.float32):
        raise ValueError(f"numbers of type {values.dtype}")
    return values.astype(np.float32)
