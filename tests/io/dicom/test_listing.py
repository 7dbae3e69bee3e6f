"""Which of several series is read."""

import numpy as np
import pytest
from pydicom.uid import MRImageStorage

from liverjax.errors import InputError
from liverjax.io.ct import list_series, read_ct, read_scan
from liverjax.io.dicom.listing import describe_series
from liverjax.io.dicom.uid import derive_uid
from tests.io.dicom.files import SHAPE, below, edited, example_hu, series_files, write_files

HU, OTHER = example_hu(), example_hu(1)


def series(name, hu, **tags):
    """Files of a series of one patient, whatever it is called."""
    files = series_files(hu, name)
    tags = {"PatientName": "the same", **tags}
    return below(name, {path: edited(data, **tags) for path, data in files.items()})


def as_mr(files):
    return {
        path: edited(data, SOPClassUID=MRImageStorage, Modality="MR").replace(
            b"1.2.840.10008.5.1.4.1.1.2\0", b"1.2.840.10008.5.1.4.1.1.4\0"
        )
        for path, data in files.items()
    }


def test_the_ct_with_most_slices_is_read_wherever_it_stands(tmp_path):
    files = series("a", OTHER[:3]) | series("b", HU) | series("c", OTHER[:7])
    np.testing.assert_array_equal(read_ct(write_files(tmp_path / "in", files)).hu, HU)


def test_another_is_read_by_its_uid(tmp_path):
    path = write_files(tmp_path / "in", series("a", OTHER[:3]) | series("b", HU))
    volume = read_scan(path, series_uid=derive_uid("series", "a")).volume
    np.testing.assert_array_equal(volume.hu, OTHER[:3])


def test_a_tie_lists_every_series_with_what_it_is(tmp_path):
    files = series("a", HU, SeriesDescription="arterial") | series("b", OTHER)
    files |= as_mr(series("m", HU[:2]))
    with pytest.raises(InputError, match=f"found several with {SHAPE[0]};") as caught:
        read_ct(write_files(tmp_path / "in", files))
    message = str(caught.value)
    uid = derive_uid("series", "a")
    assert f"in/a: CT, 12 slices, 1.6 x 0.75 x 0.5 mm, arterial, SeriesInstanceUID {uid}" in message
    assert "in/b: CT, 12 slices, 1.6 x 0.75 x 0.5 mm, no description" in message
    assert "in/m: MR, 2 slices" in message


def test_series_of_several_patients_are_not_chosen_from(tmp_path):
    files = series("a", HU) | series("b", OTHER[:3], PatientName="another")
    with pytest.raises(
        InputError, match=r"PatientID and PatientName: .* found 2 CT series"
    ) as error:
        read_ct(write_files(tmp_path / "in", files))
    assert "another" not in str(error.value)


def test_other_modalities_are_told_from_no_images(tmp_path):
    path = write_files(tmp_path / "mr", as_mr(series("m", HU)))
    with pytest.raises(InputError, match=r"mr: Modality: expected a CT series, found only:\n.*MR"):
        read_ct(path)
    with pytest.raises(InputError, match=r"series .*: Modality: expected CT, found MR"):
        read_scan(path, series_uid=derive_uid("series", "m"))
    with pytest.raises(InputError, match=r"no: expected CT images .* found none"):
        read_ct(write_files(tmp_path / "no", {"README.txt": b""}))


def test_an_unknown_uid_lists_what_there_is(tmp_path):
    path = write_files(tmp_path / "in", series("a", HU))
    with pytest.raises(InputError, match=r"no series 1\.2; found:\n  in/a: CT, 12 slices"):
        read_scan(path, series_uid="1.2")


def test_listing_names_no_patient(tmp_path):
    path = write_files(tmp_path / "in", series("a", HU) | as_mr(series("m", HU[:2])))
    ct, mr = list_series(path)
    assert (ct.slices, ct.modality, ct.is_ct, mr.is_ct) == (12, "CT", True, False)
    assert ct.spacing == pytest.approx((1.6, 0.75, 0.5))
    assert "the same" not in describe_series(ct)
