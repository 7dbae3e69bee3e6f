"""One slice in the style of 3D-IRCADb-01, as pydicom and DCMTK read it."""

import io
import subprocess

import numpy as np
import pydicom
import pytest

from liverjax.io.dicom.uid import derive_uid
from liverjax.io.dicom.write import encode_slice
from tests.conftest import require_program
from tests.io.dicom.files import SPACING, example_hu, series_files


def _read(data):
    return pydicom.dcmread(io.BytesIO(data))


def test_ct_slice_has_the_tags_of_the_dataset():
    hu = example_hu()
    dataset = _read(series_files(hu)["image_3"])
    np.testing.assert_array_equal(dataset.pixel_array, hu[3])
    assert dataset.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
    assert dataset.SOPClassUID == pydicom.uid.CTImageStorage
    assert dataset.ImagePositionPatient == pytest.approx([0, 0, 3 * SPACING[0]])
    assert dataset.ImageOrientationPatient == [1, 0, 0, 0, 1, 0]
    assert dataset.PixelSpacing == list(SPACING[1:])
    assert (dataset.SliceThickness, dataset.InstanceNumber) == (SPACING[0], 3)
    assert (dataset.RescaleSlope, dataset.RescaleIntercept) == (1, 0)
    assert (dataset.WindowCenter, dataset.WindowWidth) == (0, 0)
    assert (dataset.BitsStored, dataset.PixelRepresentation) == (16, 1)
    assert (dataset.PatientID, str(dataset.PatientName)) == ("", "liver_04^patient")
    for absent in ("FrameOfReferenceUID", "SliceLocation", "PatientPosition", "SeriesDescription"):
        assert absent not in dataset


def test_mask_slice_is_eight_bit_and_of_even_length():
    mask = np.eye(5, dtype=np.uint8) * 255
    dataset = _read(series_files(mask[None], "liver")["image_0"])
    np.testing.assert_array_equal(dataset.pixel_array, mask)
    assert (dataset.BitsAllocated, dataset.PixelRepresentation) == (8, 0)
    assert len(dataset.PixelData) == 26
    assert dataset.SOPClassUID == pydicom.uid.CTImageStorage


def test_bytes_depend_on_the_arguments_alone():
    first, again = series_files(example_hu()), series_files(example_hu())
    assert first == again
    uids = [_read(data).SOPInstanceUID for data in first.values()]
    assert len(set(uids)) == len(uids)


def test_derived_uids_are_valid_and_differ():
    uids = [derive_uid("a", "b"), derive_uid("ab"), derive_uid("b", "a")]
    assert len(set(uids)) == 3
    assert all(pydicom.uid.UID(uid).is_valid for uid in uids)
    assert derive_uid("a", "b") == uids[0]


@pytest.mark.parametrize("pixels", [np.zeros((2, 2)), np.zeros((1, 2, 2), np.int16)])
def test_other_pixels_are_refused(pixels):
    with pytest.raises(ValueError, match="expected int16 or uint8"):
        encode_slice(
            pixels, index=0, spacing=SPACING, patient_name="", study_uid="1.2", series_uid="1.3"
        )


def test_dcmtk_reads_the_same_pixels(tmp_path):
    dump = require_program("dcmdump")
    hu = example_hu()
    (tmp_path / "image_3").write_bytes(series_files(hu)["image_3"])
    command = [dump, "--load-all", "--write-pixel", str(tmp_path), str(tmp_path / "image_3")]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "CTImageStorage" in result.stdout
    assert not result.stderr
    pixels = np.fromfile(tmp_path / "image_3.0.raw", "<i2")
    np.testing.assert_array_equal(pixels.reshape(hu[3].shape), hu[3])
