"""One file: what is a slice, what is ignored and what is refused."""

import io
from pathlib import PurePosixPath

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import CTImageStorage, HTJ2KLossless, ImplicitVRLittleEndian

from liverjax.errors import InputError
from liverjax.io.dicom.slices import read_slice, to_hu
from liverjax.io.tree import File
from tests.io.dicom.files import SPACING, edited, example_hu, series_files

HU = example_hu()
DATA = series_files(HU)["image_7"]
SIZE = HU[0].nbytes


def read(data, name="image_7"):
    return read_slice(
        File(PurePosixPath("in", name), len(data), lambda: data, data.__getitem__, lambda: 0)
    )


def test_slice_holds_what_was_written():
    item = read(series_files(HU, description="portal venous")["image_7"])
    np.testing.assert_array_equal(item.stored(), HU[7])
    np.testing.assert_array_equal(item.orientation, [[1, 0, 0], [0, 1, 0]])
    assert item.position == pytest.approx([0, 0, 7 * SPACING[0]])
    assert item.pixel_spacing == pytest.approx(SPACING[1:])
    assert (item.thickness, item.rescale) == (SPACING[0], (1.0, 0.0))
    assert item.file.dataset.SeriesDescription == "portal venous"


@pytest.mark.parametrize(
    ("stored", "tags", "expected"),
    [
        ([0, 4095], {"BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0}, [0, 4095]),
        # The top four bits hold something else and must not count.
        ([0xF001, 0x8FFF], {"BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0}, [1, 4095]),
        ([0x0FFF, 0xF7FF], {"BitsStored": 12, "HighBit": 11, "PixelRepresentation": 1}, [-1, 2047]),
        ([0x7FF0, 0xFFF5], {"BitsStored": 12, "HighBit": 15, "PixelRepresentation": 1}, [2047, -1]),
        ([0, 0xFFFF], {"PixelRepresentation": 0}, [0, 65535]),
    ],
)
def test_bits_are_read_as_described(stored, tags, expected):
    pixels = np.array([stored], dtype="<u2")
    data = edited(DATA, Rows=1, Columns=2, PixelData=pixels.tobytes(), **tags)
    assert read(data).stored().tolist() == [expected]


def test_implicit_syntax_is_read():
    dataset = pydicom.dcmread(io.BytesIO(DATA))
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    buffer = io.BytesIO()
    dataset.save_as(buffer, implicit_vr=True, little_endian=True)
    np.testing.assert_array_equal(read(buffer.getvalue()).stored(), HU[7])


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("README.txt", b"Read this first."),
        ("LICENSE", b"All rights reserved. " * 20),
        ("notes.txt", b""),
        ("preview.png", b"\x89PNG" + bytes(200)),
    ],
)
def test_other_files_are_ignored(name, data):
    assert read(data, name) is None


def test_dicom_files_without_a_ct_image_are_ignored():
    report = DATA.replace(CTImageStorage.encode(), b"1.2.840.10008.5.1.4.1.1.88.67"[:25])
    assert read(report) is None


@pytest.mark.parametrize("name", ["image_7", "1.2.840.7", "slice.DCM"])
@pytest.mark.parametrize("length", [0, 90, 128, 140, 200, 350, 600, len(DATA) - 1])
def test_cut_slice_is_refused(length, name):
    with pytest.raises(InputError, match=f"in/{name}"):
        read(DATA[:length], name)


@pytest.mark.parametrize("name", ["image_7", "image_7.img", "1.2.840.7"])
def test_a_damaged_mark_is_refused(name):
    with pytest.raises(InputError, match=f"in/{name}: not a DICOM file"):
        read(DATA[:128] + b"DIXM" + DATA[132:], name)


def test_wrong_content_under_a_dicom_name_is_refused():
    with pytest.raises(InputError, match=r"image_7\.dcm: not a DICOM file"):
        read(b"text" * 100, "image_7.dcm")


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"ImagePositionPatient": None}, "ImagePositionPatient: expected 3 numbers, missing"),
        ({"ImagePositionPatient": [0, 0]}, "ImagePositionPatient: expected 3 numbers, found"),
        ({"ImageOrientationPatient": None}, "ImageOrientationPatient: expected 6 numbers, missing"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "expected two perpendicular"),
        ({"PixelSpacing": None}, "PixelSpacing: expected 2 numbers, missing"),
        ({"PixelSpacing": [0, 1]}, "PixelSpacing: expected 0.001 to 1000, found"),
        ({"RescaleIntercept": None}, "RescaleIntercept: expected 1 numbers, missing"),
        ({"PixelData": bytes(SIZE - 2)}, f"PixelData: expected {SIZE} bytes .* found {SIZE - 2}"),
        ({"PixelData": bytes(SIZE + 2)}, f"PixelData: expected {SIZE} bytes .* found {SIZE + 2}"),
        ({"PixelData": None}, "PixelData: missing"),
        ({"Rows": None}, "Rows: expected an integer"),
        ({"NumberOfFrames": 3}, f"PixelData: expected {3 * SIZE} bytes .* found {SIZE}"),
        (
            {"NumberOfFrames": 3, "PixelData": bytes(3 * SIZE)},
            "NumberOfFrames: expected one frame, found 3",
        ),
        ({"NumberOfFrames": 99999}, "NumberOfFrames: expected 1 to 16384, found 99999"),
        ({"Rows": 65535}, "Rows: expected 1 to 4096, found 65535"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "expected MONOCHROME2 .* PALETTE COLOR"),
        ({"Modality": "MR"}, "Modality: expected CT, found MR"),
        ({"RescaleSlope": 0}, "RescaleSlope: expected 1e-06 to"),
        ({"RescaleSlope": -1}, "RescaleSlope: expected 1e-06 to"),
        ({"ImagePositionPatient": [0, 0, 2e6]}, "ImagePositionPatient: expected 0 to 1e"),
        ({"RescaleType": "Z_EFF"}, "RescaleType: expected HU, found Z_EFF"),
        ({"ModalityLUTSequence": [pydicom.Dataset()]}, "ModalityLUTSequence: expected Rescale"),
        ({"SamplesPerPixel": 3}, "SamplesPerPixel: expected one sample, found 3"),
        ({"BitsAllocated": 32}, "BitsAllocated: expected 8 or 16, found 32"),
        ({"BitsStored": 17}, "BitsStored: 17 up to HighBit 15 of 16"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_tag(tags, message):
    with pytest.raises(InputError, match=f"in/image_7: .*{message}"):
        read(edited(DATA, **tags))


def test_an_unknown_transfer_syntax_is_refused_by_its_uid():
    dataset = pydicom.dcmread(io.BytesIO(DATA))
    dataset.PixelData = encapsulate([bytes(10)])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = HTJ2KLossless
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    with pytest.raises(InputError, match=rf"TransferSyntaxUID: {HTJ2KLossless} \(High-Throughput"):
        read(buffer.getvalue())


def with_padding(pixels, form="SS", **values):
    """A file of one row of pixels whose padding tags have a type of their own."""
    dataset = pydicom.dcmread(io.BytesIO(DATA))
    dataset.Rows, dataset.Columns, dataset.PixelData = 1, len(pixels), pixels.tobytes()
    for keyword, value in values.items():
        dataset.add_new(keyword, form, value)
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def test_padding_becomes_air():
    pixels = np.array([-2000, -2000, -1999, 40], dtype=np.int16)
    data = with_padding(pixels, PixelPaddingValue=-2000)
    assert to_hu(read(data)).tolist() == [[-1024, -1024, -1999, 40]]
    limited = with_padding(pixels, PixelPaddingValue=-2000, PixelPaddingRangeLimit=-1999)
    assert to_hu(read(limited)).tolist() == [[-1024, -1024, -1024, 40]]


def test_padding_of_the_other_sign_means_the_same_bits():
    data = with_padding(np.array([-2000, 40], dtype=np.int16), "US", PixelPaddingValue=63536)
    assert to_hu(read(data)).tolist() == [[-1024, 40]]


@pytest.mark.parametrize(("signed", "value"), [(0, 63536), (1, 62512)])
def test_padding_beside_the_stored_bits_is_padding(signed, value):
    data = edited(
        with_padding(np.array([value, 24], dtype=np.uint16), "US", PixelPaddingValue=value),
        BitsStored=12,
        HighBit=11,
        PixelRepresentation=signed,
        RescaleIntercept=-1000,
    )
    assert to_hu(read(data)).tolist() == [[-1024, -976]]


def test_an_empty_padding_is_none():
    data = with_padding(np.array([0, 24], dtype=np.int16), PixelPaddingValue=None)
    assert to_hu(read(data)).tolist() == [[0, 24]]


def test_monochrome1_is_a_way_of_showing_and_changes_no_hu():
    data = edited(DATA, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(to_hu(read(data)), HU[7])
