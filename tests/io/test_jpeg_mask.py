"""Masks as JPEG files."""

import io
import struct
from pathlib import PurePosixPath

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from liverjax.errors import InputError
from liverjax.io.jpeg_mask import decode_mask, encode_mask

PATH = PurePosixPath("in/1.4_image_0.jpg")


def saved(pixels, kind="JPEG", **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def claiming(data, height, width):
    """A JPEG file whose header says another size (its frame header is SOF0)."""
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


@pytest.mark.parametrize("shape", [(1, 1), (6, 5), (64, 64), (131, 77)])
@pytest.mark.parametrize("share", [0, 0.02, 0.5, 0.98, 1])
def test_every_mask_comes_back_as_it_was(rng, shape, share):
    mask = rng.random(shape) < share
    np.testing.assert_array_equal(decode_mask(encode_mask(mask), shape, PATH), mask)


def test_what_the_notebooks_read_is_grey_0_and_255():
    mask = np.zeros((64, 64), dtype=bool)
    mask[20:40, 16:48] = True
    with Image.open(io.BytesIO(encode_mask(mask))) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "L", (64, 64))
        grey = np.asarray(image)
    assert grey[mask].min() > 240
    assert grey[~mask].max() < 15


def test_masks_of_other_writers_are_read(rng):
    mask = ndimage.gaussian_filter(rng.standard_normal((128, 128)), 3) > 0.05
    pixels = np.where(mask, np.uint8(255), np.uint8(0))
    for data in (
        saved(pixels),
        saved(pixels, quality=75, progressive=True),
        saved(np.stack([pixels] * 3, axis=-1)),
    ):
        np.testing.assert_array_equal(decode_mask(data, mask.shape, PATH), mask)


def test_grey_values_above_100_are_foreground():
    for value, expected in ((100, False), (101, True)):
        data = saved(np.full((8, 8), value, dtype=np.uint8), quality=100)
        assert (decode_mask(data, (8, 8), PATH) == expected).all()


def test_another_size_is_refused():
    with pytest.raises(InputError, match=r"in/1\.4_image_0\.jpg: expected 8 x 16 .*found 16 x 8"):
        decode_mask(encode_mask(np.zeros((16, 8), dtype=bool)), (8, 16), PATH)


@pytest.mark.parametrize(("height", "width"), [(9_000, 9_000), (12_000, 12_000), (60_000, 60_000)])
def test_a_claim_of_a_huge_size_is_refused_before_decoding(height, width):
    data = claiming(encode_mask(np.zeros((16, 16), dtype=bool)), height, width)
    with pytest.raises(InputError, match=r"1\.4_image_0\.jpg: "):
        decode_mask(data, (16, 16), PATH)


@pytest.mark.parametrize("cut", [0, 2, 100, 400, 700])
def test_a_damaged_file_is_refused_by_name(rng, cut):
    data = encode_mask(rng.random((64, 64)) < 0.5)
    with pytest.raises(InputError, match=r"in/1\.4_image_0\.jpg: .*JPEG file"):
        decode_mask(data[:cut], (64, 64), PATH)


def test_another_format_is_refused():
    data = saved(np.zeros((16, 16), dtype=np.uint8), "PNG")
    with pytest.raises(InputError, match="expected a JPEG file, found another kind"):
        decode_mask(data, (16, 16), PATH)
