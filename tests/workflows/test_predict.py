"""Results of one CT and of many: what is written, done again, left alone and told."""

import json
import shutil
from functools import partial
from pathlib import Path

import jsonschema
import nibabel
import numpy as np
import pydicom
import pytest

from liverjax.errors import InputError
from liverjax.io.ct import read_scan
from liverjax.io.nifti import write_segmentation
from liverjax.reporting.case_report import NO_LIVER, schema
from liverjax.volume import Segmentation
from liverjax.workflows.case_files import REPORT, Wanted
from liverjax.workflows.inputs import Case, find_cases
from liverjax.workflows.predict import has_result, predict
from liverjax.workflows.predict_all import format_outcome, predict_all
from tests.io.dicom.files import below, edited, series_files, write_files
from tests.workflows.predicting import (
    EVERYTHING,
    EXTRA,
    SHAPE,
    USUAL,
    listing,
    scene,
    study,
    thresholds,
)


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
    nifti = read_scan(tmp_path / "ct.nii")
    predict(nifti, thresholds(), output)
    assert listing(output) == [name for name in USUAL if not name.endswith(".dcm")]
    refusal = "--fractional: expected DICOM input, found NIfTI"
    cascade = thresholds()
    with pytest.raises(InputError, match=f"^{refusal}$"):
        predict(nifti, cascade, tmp_path / "other", Wanted(fractional=True))
    cases = [Case("a", tmp_path / "ct.nii", "a"), Case("b", tmp_path / "ct", "b")]
    outcome = predict_all(cases, cascade, tmp_path / "many", read=read_scan, wanted=EVERYTHING)
    assert (outcome.failed, outcome.done) == ([("a", refusal)], ["b"])
    assert format_outcome(outcome).startswith(f"a: {refusal}\n")


def test_no_liver_is_a_message_and_no_error(tmp_path, caplog):
    files = series_files(np.full(SHAPE, -900, np.int16), "empty")
    write_files(tmp_path / "cts", below("a", files) | below("b", study("b")))
    cascade, output = thresholds(), tmp_path / "out"
    outcome = predict_all(find_cases([tmp_path / "cts"]), cascade, output, read=read_scan)
    assert outcome.succeeded
    assert outcome.done == ["cts/a", "cts/b"]
    assert format_outcome(outcome).splitlines() == [
        "cts/a: no liver found",
        "2 CTs done, 0 skipped, 0 failed",
    ]
    assert f"{output / 'a'}: {NO_LIVER}" in caplog.text
    assert f"{output / 'b'}: " not in caplog.text
    report = json.loads((output / "a" / REPORT).read_text())
    jsonschema.validate(report, schema())
    assert report["messages"] == [NO_LIVER]
    assert NO_LIVER in (output / "a" / "report.html").read_text()
    assert not np.asarray(nibabel.load(output / "a" / "segmentation.nii.gz").dataobj).any()


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


def test_an_object_is_not_left_out_for_want_of_memory(scan, tmp_path, monkeypatch):
    def write(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr("liverjax.workflows.predict.write_segmentation_object", write)
    with pytest.raises(MemoryError):
        predict(scan, thresholds(), tmp_path / "out")
    assert listing(tmp_path / "out") == []


def test_files_of_an_earlier_result_go(scan, tmp_path):
    predict(scan, thresholds(), tmp_path / "out", EVERYTHING)
    (tmp_path / "out" / "mine.txt").write_text("mine")
    predict(scan, thresholds(), tmp_path / "out")
    assert listing(tmp_path / "out") == ["mine.txt", *USUAL]


def test_one_failure_does_not_keep_the_others(patients, tmp_path):
    cascade, output = thresholds(), tmp_path / "out"
    predict_there = partial(predict_all, find_cases([patients]), cascade, output, read=read_scan)
    outcome = predict_there()
    assert outcome.done == ["patients/a", "patients/b"]
    assert not outcome.succeeded
    assert [label for label, _ in outcome.failed] == ["patients/c"]
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
    assert outcome.failed == [("patients/c", "not enough memory")]
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


def test_labels_that_are_equal_lose_no_failure(tmp_path):
    def read(path):
        raise InputError(f"{path}: no")

    cases = [Case("a", tmp_path / "1", "same"), Case("b", tmp_path / "2", "same")]
    outcome = predict_all(cases, thresholds(), tmp_path / "out", read=read)
    assert outcome.failed == [("same", "same: no"), ("same", "same: no")]
    assert format_outcome(outcome).endswith("0 CTs done, 0 skipped, 2 failed")


def test_a_short_path_is_not_taken_for_a_part_of_a_word():
    def read(path):
        raise InputError("--fractional: expected a")

    outcome = predict_all([Case("a", Path("a"), "x/a")], thresholds(), Path("out"), read=read)
    assert outcome.failed == [("x/a", "--fractional: expected a")]


def test_a_ct_keeps_its_number(tmp_path):
    files = {
        name: write_files(tmp_path / name, study(name, seed)) for seed, name in enumerate("abx")
    }
    output, cascade = tmp_path / "out", thresholds()

    def predict_these(*names, **others):
        cases = [Case(name, files.get(name, tmp_path / name), name) for name in names]
        anonymous = Wanted(anonymize=True, probabilities=others.pop("probabilities", False))
        return predict_all(cases, cascade, output, read=read_scan, wanted=anonymous, **others)

    assert predict_these("a", "lost", "b").numbered == [("a", "case001"), ("b", "case002")]
    outcome = predict_these("x", "a", "b")
    assert (outcome.done, outcome.skipped) == (["x"], ["a", "b"])
    assert outcome.numbered == [("x", "case003"), ("a", "case001"), ("b", "case002")]
    assert format_outcome(outcome).splitlines()[:3] == ["case001: a", "case002: b", "case003: x"]
    # Made anew it has the same, and after a stop as well.
    assert predict_these("b", probabilities=True).numbered == [("b", "case002")]
    made = json.loads((output / "case002" / REPORT).read_text())["made"]
    left = json.dumps({"made": made, "earlier": []}).encode()
    write_files(output / "case002", {".result.json": left})
    (output / "case002" / REPORT).unlink()
    outcome = predict_these("b")
    assert (outcome.done, outcome.numbered) == (["b"], [("b", "case002")])
    # What is free again goes to the next; what somebody else's files lie in does not.
    shutil.rmtree(output / "case001")
    write_files(output / "case001", {"notes.txt": b"mine"})
    assert predict_these("a").numbered == [("a", "case004")]
    shutil.rmtree(output / "case001")
    shutil.rmtree(output / "case004")
    write_files(output / "case001", {".lock": b"", ".unfinished/preview.png": b"half"})
    assert predict_these("a").numbered == [("a", "case001")]
