"""A boolean mask as a small file."""

from pathlib import Path

import numpy as np

from liverjax.errors import InputError
from liverjax.io.atomic import replacing


def write_mask(path: Path, mask: np.ndarray) -> None:
    """Writes a boolean mask [D, H, W] as an .npz of its bits, whole or not at all."""
    with replacing(path) as temporary:
        np.savez_compressed(temporary, bits=np.packbits(mask), shape=np.array(mask.shape))


def read_mask(path: Path) -> np.ndarray:
    """Inverse of `write_mask`.

    Raises:
        InputError: no such file, or it is damaged.
    """
    try:
        # Opened here, as NumPy leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            bits, shape = stored["bits"], tuple(stored["shape"].tolist())
    except Exception as error:  # NumPy, zipfile and zlib have no common class for damage
        raise InputError(f"{path}: no mask, or damaged ({error}); delete it") from error
    if len(shape) != 3 or bits.dtype != np.uint8 or bits.size != -(-int(np.prod(shape)) // 8):
        raise InputError(f"{path}: expected the bits of a mask {shape}, found {bits.size} bytes")
    return np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape).astype(bool)
