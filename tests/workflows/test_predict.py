"""Results of one CT and of many: what is written, done again, left alone and told."""

import json
from functools import partial

import jsonschema
import nibabel
import numpy as np
import pydicom
import pytest

from liverjax.errors import InputError
from liverjax.inference.postprocess import Postprocess
from liverjax.io.ct import read_scan
from liverjax.io.nifti import write_segmentation
from liverjax.reporting.case_report import schema
from liverjax.volume import Segmentation
from liverjax.workflows.case_files import REPORT, Wanted
from liverjax.workflows.inputs import find_cases
from liverjax.workflows.predict import has_result, predict
from liverjax.workflows.predict_all import format_outcome, predict_all
from tests.io.dicom.files import below, edited, write_files
from tests.workflows.predicting import scene, study, thresholds

USUAL = [
    "preview.png",
    "report.html",
    "report.json",
    "segmentation.dcm",
    "segmentation.nii.gz",
]
EVERYTHING = Wanted(probabilities=True, fractional=True)
EXTRA = [
    "liver_probability.nii.gz",
    "segmentation_fractional.dcm",
    "tumor_probability.nii.gz",
]


def listing(folder):
    """Names of what lies in a folder, the lock aside."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def contents(folder):
    return {name: (folder / name).read_bytes() for name in listing(folder)}


@pytest.fixture
def scan(tmp_path):
    return read_scan(write_files(tmp_path / "ct", study("a")))


@pytest.fixture
def patients(tmp_path):
    """A folder of two patients, and a third who cannot be read."""
    files = below("a", study("a")) | below("b", study("b", seed=1)) | below("c", study("c"))
    files["c/image_1"] = edited(files["c/image_1"], ImagePositionPatient=["0", "0", "0.4"])
    return write_files(tmp_path / "patients", files)


def test_what_is_written_of_a_dicom_series(scan, tmp_path):
    output = tmp_path / "new" / "out"
    found = predict(scan, thresholds(), output, EVERYTHING)
    assert listing(output) == sorted(USUAL + EXTRA)
    stored = nibabel.load(output / "segmentation.nii.gz")
    np.testing.assert_array_equal(np.asarray(stored.dataobj).T, found.labels)
    probability = nibabel.load(output / "tumor_probability.nii.gz")
    np.testing.assert_array_equal(np.asarray(probability.dataobj).T > 0, found.tumor)
    np.testing.assert_allclose(probability.affine, stored.affine)
    for name in ("segmentation.dcm", "segmentation_fractional.dcm"):
        assert pydicom.dcmread(output / name).PatientName == "liver_04^a"
    report = json.loads((output / REPORT).read_text())
    jsonschema.validate(report, schema())
    assert report["made"]["files"] == sorted({*USUAL, *EXTRA} - {REPORT})
    assert report["made"]["left_out"] == []


def test_of_nifti_there_are_no_dicom_objects(scan, tmp_path):
    write_segmentation(
        tmp_path / "ct.nii", Segmentation((scene() > 0).astype(np.uint8), scan.volume.geometry)
    )
    output = tmp_path / "out"
    predict(read_scan(tmp_path / "ct.nii"), thresholds(), output, Wanted(fractional=True))
    assert listing(output) == [name for name in USUAL if not name.endswith(".dcm")]


def test_an_object_that_the_images_do_not_allow_is_left_out(tmp_path, caplog):
    files = {name: edited(data, StudyInstanceUID=None) for name, data in study("a").items()}
    scan = read_scan(write_files(tmp_path / "ct", files))
    output = tmp_path / "out"
    predict(scan, thresholds(), output)
    assert listing(output) == [name for name in USUAL if not name.endswith(".dcm")]
    assert "segmentation.dcm: left out: StudyInstanceUID" in caplog.text
    assert json.loads((output / REPORT).read_text())["made"]["left_out"] == ["segmentation.dcm"]
    assert has_result(scan, thresholds(), output)
    assert not has_result(scan, thresholds(), output, EVERYTHING)


def test_files_of_an_earlier_result_go(scan, tmp_path):
    predict(scan, thresholds(), tmp_path / "out", EVERYTHING)
    (tmp_path / "out" / "mine.txt").write_text("mine")
    predict(scan, thresholds(), tmp_path / "out")
    assert listing(tmp_path / "out") == ["mine.txt", *USUAL]


def test_a_result_counts_only_for_what_it_was_made_of(scan, tmp_path):
    output = tmp_path / "out"
    assert not has_result(scan, thresholds(), output)
    predict(scan, thresholds(), output)
    has = partial(has_result, scan, output=output)
    assert has(thresholds())
    assert not has(thresholds(liver="another"))
    assert not has(thresholds(tumor="another"))
    assert not has(thresholds(tumor=None))
    chosen = thresholds()
    chosen.liver._replace(postprocess=Postprocess(threshold=0.4))
    assert has(chosen)
    object.__setattr__(
        chosen, "liver", chosen.liver._replace(postprocess=Postprocess(threshold=0.4))
    )
    assert not has(chosen)
    for wanted in (Wanted(True), Wanted(fractional=True), Wanted(anonymize=True)):
        assert not has(thresholds(), wanted=wanted)


@pytest.mark.parametrize("damage", ["preview.png", "segmentation.dcm", REPORT, "not json", "list"])
def test_a_result_that_is_not_whole_does_not_count(scan, tmp_path, damage):
    output = tmp_path / "out"
    predict(scan, thresholds(), output)
    if damage in USUAL:
        (output / damage).unlink()
    else:
        (output / REPORT).write_text({"not json": '{"made": ', "list": "[]"}[damage])
    assert not has_result(scan, thresholds(), output)


def test_another_ct_or_name_is_another_input(tmp_path):
    files, output = study("a"), tmp_path / "out"
    anonymous = Wanted(anonymize=True)
    scan = read_scan(write_files(tmp_path / "ct", files))
    named = {name: edited(data, PatientName="Corrected") for name, data in files.items()}
    renamed = read_scan(write_files(tmp_path / "named", named))
    other = read_scan(write_files(tmp_path / "other", study("a", seed=1)))
    predict(scan, thresholds(), output)
    assert not has_result(renamed, thresholds(), output)
    assert not has_result(other, thresholds(), output)
    predict(scan, thresholds(), output, anonymous)
    assert has_result(renamed, thresholds(), output, anonymous)
    assert not has_result(other, thresholds(), output, anonymous)


@pytest.mark.parametrize("before", [False, True])
def test_a_stop_at_any_move_leaves_nothing_that_counts(scan, tmp_path, monkeypatch, before):
    output = tmp_path / "out"
    predict(scan, thresholds(), tmp_path / "clean")
    path_type = type(output)
    replace = path_type.replace
    for stop in range(len(USUAL) + 1):
        moved = []

        def move(path, target, stop=stop, moved=moved):
            if path.parent.name == ".unfinished" and target.parent == output:
                if len(moved) == stop:
                    raise KeyboardInterrupt
                moved.append(path)
            return replace(path, target)

        if before:
            predict(scan, thresholds(), output, EVERYTHING)
        monkeypatch.setattr(path_type, "replace", move)
        if stop < len(USUAL):
            with pytest.raises(KeyboardInterrupt):
                predict(scan, thresholds(), output)
            assert not has_result(scan, thresholds(), output)
            assert not has_result(scan, thresholds(), output, EVERYTHING)
        monkeypatch.setattr(path_type, "replace", replace)
        # A program that was killed leaves its folder behind.
        write_files(output / ".unfinished", {"preview.png": b"half"})
        predict(scan, thresholds(), output)
        assert contents(output) == contents(tmp_path / "clean")


def test_one_failure_does_not_keep_the_others(patients, tmp_path):
    cascade, output = thresholds(), tmp_path / "out"
    predict_there = partial(predict_all, find_cases([patients]), cascade, output, read=read_scan)
    outcome = predict_there()
    assert outcome.done == ["patients/a", "patients/b"]
    assert not outcome.succeeded
    assert list(outcome.failed) == ["patients/c"]
    assert sorted(path.name for path in output.iterdir()) == ["a", "b"]
    told = format_outcome(outcome).splitlines()
    assert told[-1] == "2 CTs done, 0 skipped, 1 failed"
    assert len(told) == 2
    assert told[0].startswith("patients/c: ")
    assert str(tmp_path) not in told[0]
    assert predict_there().skipped == ["patients/a", "patients/b"]
    assert len(cascade.seen) == 2
    assert predict_there(overwrite=True).done == ["patients/a", "patients/b"]
    assert predict_there(wanted=Wanted(probabilities=True)).skipped == []
    assert len(cascade.seen) == 6


def test_errors_of_the_program_are_told_at_the_end(patients, tmp_path):
    def read(path):
        if path.name == "a":
            raise ZeroDivisionError("in the program")
        if path.name == "c":
            raise MemoryError
        return read_scan(path)

    outcome = predict_all(find_cases([patients]), thresholds(), tmp_path / "out", read=read)
    assert outcome.done == ["patients/b"]
    assert outcome.failed == {"patients/c": "not enough memory"}
    assert not outcome.succeeded
    told = format_outcome(outcome)
    assert "Traceback" in told
    assert "ZeroDivisionError: in the program" in told
    assert told.endswith("1 CT done, 0 skipped, 2 failed")


def test_an_interrupt_stops_all(patients, tmp_path):
    def read(path):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_all(find_cases([patients]), thresholds(), tmp_path / "out", read=read)


def test_an_error_of_several_lines_is_told_in_one(patients, tmp_path):
    def read(path):
        raise InputError(f"{path}: expected one series, found:\n  one\n  two")

    outcome = predict_all(find_cases([patients]), thresholds(), tmp_path / "out", read=read)
    assert format_outcome(outcome).splitlines()[0] == (
        "patients/a: expected one series, found (more with this --input alone)"
    )
