"""Masks as grey JPEG files, which the thesis' notebooks write and read."""

import io
import warnings
from pathlib import PurePosixPath

import numpy as np
from PIL import Image, UnidentifiedImageError

from liverjax.errors import InputError

# What the notebooks count as foreground of the 0..255 that JPEG smears.
THRESHOLD = 100

# An error in one coefficient of an 8x8 block is at most half its quantisation step and moves a
# pixel by a quarter of that at most. The steps of libjpeg's table at this quality add up to 369,
# so no pixel moves by more than 46, and rounding: every mask comes back as it was.
QUALITY = 95


def encode_mask(mask: np.ndarray) -> bytes:
    """A boolean mask [H, W] as a grey JPEG file, 0 and 255; `decode_mask` gives it back."""
    buffer = io.BytesIO()
    pixels = np.where(mask, np.uint8(255), np.uint8(0))
    Image.fromarray(pixels).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def decode_mask(data: bytes, shape: tuple[int, ...], path: PurePosixPath) -> np.ndarray:
    """Boolean mask [H, W] of a JPEG file: its grey values above `THRESHOLD`.

    Args:
        data: content of the file; a colour image is read as grey.
        shape: (H, W) that it must have. It is compared before a pixel is decoded, so that a file
            cannot claim a size that fills the memory.
        path: of the file, for messages.

    Raises:
        InputError: no JPEG file, a damaged one, or one of another size; names it.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns of a size to fear, and from twice that on raises.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
                size = image.height, image.width
                grey = np.asarray(image.convert("L")) if size == shape else None
    except UnidentifiedImageError as error:
        raise InputError(f"{path}: expected a JPEG file, found another kind") from error
    except Exception as error:  # Pillow has no common class of what damaged files raise
        raise InputError(f"{path}: not a complete JPEG file ({error})") from error
    if grey is None:
        raise InputError(
            f"{path}: expected {shape[0]} x {shape[1]} pixels as in the CT, found "
            f"{size[0]} x {size[1]}"
        )
    return grey > THRESHOLD
