"""Masks in DICOM files rewritten with 0 and 255."""

import io
from pathlib import PurePosixPath

import numpy as np
import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from liverjax.errors import InputError
from liverjax.io.dicom.mask import with_255
from liverjax.io.tree import File
from tests.io.dicom.compressed import compressed
from tests.io.dicom.files import series_files

MASK = np.array([[0, 1, 0], [1, 1, 1], [0, 0, 1]])


def slice_file(pixels):
    return series_files(pixels[None], "liver")["image_0"]


def as_file(data):
    return File(PurePosixPath("in/image_0"), len(data), lambda: data, data.__getitem__, lambda: 0)


def recoded(data, syntax):
    dataset = pydicom.dcmread(io.BytesIO(data))
    dataset.file_meta.TransferSyntaxUID = syntax
    buffer = io.BytesIO()
    pydicom.dcmwrite(
        buffer, dataset, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=True
    )
    return buffer.getvalue()


@pytest.mark.parametrize("value", [0, 255])
def test_a_mask_of_0_and_255_keeps_its_bytes(value):
    data = slice_file((MASK * value).astype(np.uint8))
    assert with_255(as_file(data)) == data


@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
@pytest.mark.parametrize("syntax", [None, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_other_values_become_255_and_all_else_stays(dtype, syntax):
    data = slice_file((MASK * 7).astype(dtype))
    data = recoded(data, syntax) if syntax else data
    written = pydicom.dcmread(io.BytesIO(with_255(as_file(data))))
    # As the notebooks read it, by pydicom.
    np.testing.assert_array_equal(written.pixel_array, MASK * 255)
    assert written.pixel_array.dtype == np.uint8
    before = pydicom.dcmread(io.BytesIO(data))
    changed = {"PixelData", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"}
    assert {e.keyword for e in before if e != written.get(e.tag)} <= changed
    assert {e.keyword for e in written} == {e.keyword for e in before}
    assert written.file_meta == before.file_meta


def test_tags_about_the_old_values_go():
    dataset = pydicom.dcmread(io.BytesIO(slice_file(MASK.astype(np.uint8))))
    dataset.add_new("LargestImagePixelValue", "US", 1)
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    written = pydicom.dcmread(io.BytesIO(with_255(as_file(buffer.getvalue()))))
    assert "LargestImagePixelValue" not in written


def test_what_is_no_slice_is_refused():
    with pytest.raises(InputError, match="in/image_0: expected a DICOM slice"):
        with_255(as_file(b"text that is long enough not to be a slice that was cut" * 4))


@pytest.mark.parametrize("syntax", ["JPEG-LS", "RLE", "deflated"])
def test_a_compressed_mask_is_written_uncompressed(syntax):
    # GDCM and its like refuse the smallest images.
    mask = np.kron(MASK, np.ones((8, 8), int)).astype(np.uint8)
    written = with_255(as_file(compressed(slice_file(mask), syntax)))
    np.testing.assert_array_equal(pydicom.dcmread(io.BytesIO(written)).pixel_array, mask * 255)
