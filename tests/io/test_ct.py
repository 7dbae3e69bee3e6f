"""A CT from whatever a user has."""

import nibabel as nib
import numpy as np
import pytest

from liverjax.errors import InputError
from liverjax.io.ct import read_ct
from tests.io.dicom.files import (
    SHAPE,
    SPACING,
    below,
    example_hu,
    pack,
    patient_files,
    series_files,
    write_files,
    zipped,
)

HU = example_hu()
PATIENT = patient_files()
MASKS = {path: data for path, data in PATIENT.items() if path.startswith("MASKS")}


def test_nifti_file(tmp_path):
    path = tmp_path / "ct.nii.gz"
    nib.save(nib.Nifti1Image(HU.T, np.diag([-0.5, -0.75, 1.6, 1])), path)
    volume = read_ct(path)
    np.testing.assert_array_equal(volume.hu, HU)
    assert volume.geometry.spacing == pytest.approx(SPACING)
    assert read_ct(path, spacing_known=False).geometry.spacing is None


@pytest.mark.parametrize(
    "files",
    [
        series_files(HU),
        below("study/series", series_files(HU)),
        {"study.zip": zipped(below("series", series_files(HU)))},
        below("3Dircadb1.4", PATIENT),
        below("3Dircadb1.4", pack(PATIENT, "PATIENT_DICOM", "MASKS_DICOM")),
        {"3Dircadb1.4.zip": zipped(below("3Dircadb1.4", pack(PATIENT, "PATIENT_DICOM")))},
        below("PATIENT_DICOM/PATIENT_DICOM", series_files(HU)) | MASKS,
        PATIENT | pack(PATIENT, "PATIENT_DICOM"),
    ],
    ids=[
        "series", "folders", "zip", "patient", "inner zips", "patient zip", "doubled", "both",
    ],
)  # fmt: skip
def test_dicom_in_every_packing(tmp_path, files):
    for path in (write_files(tmp_path / "in", files), tmp_path / "in.zip"):
        if path.suffix:
            path.write_bytes(zipped(files))
        volume = read_ct(path)
        np.testing.assert_array_equal(volume.hu, HU)
        assert volume.geometry.spacing == pytest.approx(SPACING)


def test_several_patients_are_refused(tmp_path):
    files = below("3Dircadb1.1", PATIENT) | below("3Dircadb1.2", patient_files(seed=1))
    with pytest.raises(InputError, match=r"1/PATIENT_DICOM and .*2/PATIENT_DICOM .* one patient"):
        read_ct(write_files(tmp_path / "in", files))


def test_masks_alone_are_several_series(tmp_path):
    with pytest.raises(InputError, match=f"found 4 CT series(.|\n)*liver: CT, {SHAPE[0]} slices"):
        read_ct(write_files(tmp_path / "in", MASKS))


def test_absent_and_other_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        read_ct(tmp_path / "ct.nii.gz")
    (tmp_path / "ct.nrrd").write_bytes(b"NRRD")
    with pytest.raises(InputError, match=r"expected a NIfTI file \(\.nii or \.nii\.gz\)"):
        read_ct(tmp_path / "ct.nrrd")
