"""What counts as a folder of patients, and the names of their results."""

import logging

import pytest

from liverjax.errors import InputError
from liverjax.workflows.inputs import find_cases
from tests.io.dicom.files import (
    below,
    box,
    edited,
    example_hu,
    pack,
    patient_files,
    series_files,
    write_files,
    zipped,
)

SHAPE = (2, 4, 4)


def study(name, seed=0):
    """A study of one small series."""
    return series_files(example_hu(seed, SHAPE), name)


def found(*inputs):
    """Name of the results' folder and of the file or folder, by input."""
    return [(case.name, case.path.name) for case in find_cases(inputs)]


def test_a_patient_of_ircadb_is_one_ct(tmp_path):
    files = patient_files({"liver": box(2, 9)})
    write_files(tmp_path / "extracted", files)
    write_files(tmp_path / "packed", pack(files, "PATIENT_DICOM", "MASKS_DICOM"))
    write_files(tmp_path / "around", below("3Dircadb1.1", files))
    for name in ("extracted", "packed", "around"):
        assert found(tmp_path / name) == [("", name)]


def test_a_study_with_a_folder_per_series_is_one_ct(tmp_path):
    files = study("thin") | below("thick", study("thin", seed=1))
    thin = {f"thin/{path}": data for path, data in study("thin").items()}
    thick = {
        f"thick/{path}": edited(data, SeriesInstanceUID="2.25.7")
        for path, data in study("thin", seed=1).items()
    }
    write_files(tmp_path / "study", thin | thick)
    write_files(tmp_path / "flat", files)  # holds DICOM files itself
    assert found(tmp_path / "study") == [("", "study")]
    assert found(tmp_path / "flat") == [("", "flat")]


def test_folders_and_archives_of_several_studies_are_patients(tmp_path, caplog):
    files = below("b/ST0/SE1", study("b")) | {"a.zip": zipped(study("a")), "notes.txt": b"mine"}
    files |= {"empty/read.me": b"", "c.zip": b"no archive"}
    write_files(tmp_path, files)
    with caplog.at_level(logging.INFO):
        assert found(tmp_path) == [("a", "a.zip"), ("b", "b"), ("c", "c.zip")]
    assert "empty: holds no CT, passed over" in caplog.text
    labels = [case.label for case in find_cases([tmp_path])]
    assert labels[0] == f"{tmp_path.name}/a.zip"


def test_studies_of_several_patients_under_one_uid_are_patients(tmp_path):
    files = below("one", study("x")) | {
        f"two/{path}": edited(data, PatientID="2") for path, data in study("x").items()
    }
    assert found(write_files(tmp_path, files)) == [("one", "one"), ("two", "two")]


def test_patients_of_ircadb_are_told_by_name_and_taken_once(tmp_path, caplog):
    one = below("3Dircadb1.1", patient_files({"liver": box(2, 9)}))
    two = below("3Dircadb1.2", patient_files({"liver": box(2, 9)}))
    write_files(tmp_path, one | {"3Dircadb1.1.zip": zipped(one), "3Dircadb1.2.zip": zipped(two)})
    with caplog.at_level(logging.INFO):
        assert [path for _, path in found(tmp_path)] == ["3Dircadb1.1", "3Dircadb1.2.zip"]
    assert "3Dircadb1.1.zip: lies here twice, read once" in caplog.text
    assert found(write_files(tmp_path / "alone", one | {"3Dircadb1.1.zip": zipped(one)})) == [
        ("", "alone")
    ]
    write_files(tmp_path, below("3Dircadb1.2", patient_files({"liver": box(2, 9)}, seed=3)))
    with pytest.raises(
        InputError, match=r"1\.2/PATIENT_DICOM and .*hold different files; delete one"
    ):
        find_cases([tmp_path])


def test_every_nifti_file_of_a_folder_is_a_ct(tmp_path, caplog):
    names = ["volume-1.nii", "segmentation-1.nii", "segmentation-2.nii", "CT.nii.gz", ".ct.nii"]
    write_files(tmp_path, dict.fromkeys([*names, "liver_probability.nii.gz", "x.txt"], b""))
    with caplog.at_level(logging.INFO):
        assert [path for _, path in found(tmp_path)] == [
            "CT.nii.gz",
            "segmentation-2.nii",
            "volume-1.nii",
        ]
    (message,) = caplog.messages
    assert message.startswith("liver_probability.nii.gz: named like a result of this program")
    (tmp_path / "volume-1").mkdir()  # of results
    assert len(found(tmp_path)) == 3
    write_files(tmp_path, below("other", study("b")))
    with pytest.raises(InputError, match=r"found both: CT\.nii\.gz and other; give each"):
        find_cases([tmp_path])


def test_the_labels_of_btcv_are_no_ct_beside_theirs(tmp_path):
    names = ["img0027.nii.gz", "label0027.nii.gz", "label0028.nii.gz", "label0027-old.nii.gz"]
    write_files(tmp_path, dict.fromkeys(names, b""))
    assert [name for name, _ in found(tmp_path)] == ["img0027", "label0027-old", "label0028"]


def test_names_differ_in_more_than_letter_case(tmp_path):
    inputs = ["a/CT.nii.gz", "b/ct.nii", "c/ct.zip", "d/ct-2.nii", "e/ct"]
    paths = [tmp_path / name for name in inputs]
    assert [name for name, _ in found(*paths, paths[0])] == ["CT", "ct-3", "ct-4", "ct-2", "ct-5"]


def test_labels_that_would_be_equal_are_whole_paths(tmp_path):
    for above in "abc":
        write_files(tmp_path / above / ("data" if above < "c" else "other"), {"1.nii": b""})
    write_files(tmp_path / "b" / "data", {"2.nii": b""})
    inputs = [tmp_path / "a" / "data", tmp_path / "b" / "data", tmp_path / "c" / "other"]
    assert [case.label for case in find_cases(inputs)] == [
        f"{tmp_path}/a/data/1.nii",
        f"{tmp_path}/b/data/1.nii",
        "data/2.nii",
        "other/1.nii",
    ]


def test_one_file_has_no_name_wherever_it_lies(tmp_path, monkeypatch):
    path = write_files(tmp_path / "patient", {"CT.nii.gz": b""}) / "CT.nii.gz"
    assert found(path) == found(path, path) == [("", "CT.nii.gz")]
    assert found(tmp_path / "nothing") == [("", "nothing")]
    below_it = write_files(tmp_path / "patient" / "deep", {})
    monkeypatch.chdir(below_it)
    (case,) = find_cases([type(path)("..")])
    assert case.name == "CT"
    assert case.label == "patient/CT.nii.gz"
