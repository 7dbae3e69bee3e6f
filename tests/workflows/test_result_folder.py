"""What becomes of the files that lie in the folder of a result already."""

import itertools
import json
import shutil
from functools import partial

import numpy as np
import pytest

from liverjax.errors import InputError
from liverjax.inference.postprocess import Postprocess
from liverjax.io.ct import read_scan
from liverjax.io.nifti import write_segmentation
from liverjax.volume import Segmentation
from liverjax.workflows.case_files import REPORT, Wanted
from liverjax.workflows.predict import has_result, predict
from tests.io.dicom.files import edited, write_files
from tests.workflows.predicting import (
    EVERYTHING,
    EXTRA,
    USUAL,
    contents,
    scene,
    study,
    thresholds,
)


@pytest.fixture
def scan(tmp_path):
    return read_scan(write_files(tmp_path / "ct", study("a")))


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    ("name", "earlier"),
    [
        ("segmentation.nii.gz", False),
        ("segmentation.dcm", False),
        (REPORT, False),
        ("liver_probability.nii.gz", False),
        ("liver_probability.nii.gz", True),
    ],
)
def test_files_of_others_are_neither_replaced_nor_deleted(scan, tmp_path, name, earlier, overwrite):
    output, cascade = tmp_path / "out", thresholds()
    if earlier:
        predict(scan, cascade, output)
        cascade.seen.clear()
    write_files(output, {name: b'{"made": 7}'})
    with pytest.raises(InputError, match=rf"out/{name}: not of an earlier result; give another"):
        predict(scan, cascade, output, overwrite=overwrite)
    assert (output / name).read_bytes() == b'{"made": 7}'
    assert not cascade.seen


def test_a_file_that_comes_meanwhile_stays(scan, tmp_path, monkeypatch):
    output, cascade = tmp_path / "out", thresholds()
    original = type(cascade).predict

    def meddle(self, volume):
        write_files(output, {"preview.png": b"mine"})
        return original(self, volume)

    monkeypatch.setattr(type(cascade), "predict", meddle)
    with pytest.raises(InputError, match=r"preview\.png: not of an earlier result"):
        predict(scan, cascade, output)
    assert contents(output) == {"preview.png": b"mine"}


def test_the_input_itself_is_not_replaced(scan, tmp_path):
    path = tmp_path / "segmentation.nii.gz"
    write_segmentation(path, Segmentation((scene() > 0).astype(np.uint8), scan.volume.geometry))
    before = path.read_bytes()
    with pytest.raises(InputError, match="not of an earlier result"):
        predict(read_scan(path), thresholds(), tmp_path, overwrite=True)
    assert path.read_bytes() == before


def test_a_folder_or_marker_of_others_is_refused(scan, tmp_path):
    predict(scan, thresholds(), tmp_path / "out")
    (tmp_path / "out" / "preview.png").unlink()
    (tmp_path / "out" / "preview.png").mkdir()
    with pytest.raises(InputError, match=r"preview\.png: not of an earlier result"):
        predict(scan, thresholds(), tmp_path / "out")
    write_files(tmp_path / "other", {".result.json": b"[]"})
    with pytest.raises(InputError, match=r"\.result\.json: not of an earlier result"):
        predict(scan, thresholds(), tmp_path / "other")


def test_a_file_that_only_an_old_marker_lists_is_not_ours(scan, tmp_path):
    output = tmp_path / "out"
    predict(scan, thresholds(), output)
    made = json.loads((output / REPORT).read_text())["made"]
    left = {"made": made, "earlier": ["liver_probability.nii.gz"]}
    files = {".result.json": json.dumps(left).encode(), "liver_probability.nii.gz": b"mine"}
    write_files(output, files)
    with pytest.raises(InputError, match=r"liver_probability\.nii\.gz: not of an earlier result"):
        predict(scan, thresholds(), output)


def test_the_result_of_another_ct_is_replaced_on_request(scan, tmp_path):
    output, cascade = tmp_path / "out", thresholds()
    other = read_scan(write_files(tmp_path / "other", study("b", seed=1)))
    for wanted in (Wanted(), Wanted(anonymize=True), EVERYTHING):  # the same CT, as today
        predict(scan, cascade, output, wanted)
    before, calls = contents(output), len(cascade.seen)
    for wanted in (Wanted(), Wanted(anonymize=True)):
        with pytest.raises(InputError, match=r"out: holds the result of another CT; give another"):
            predict(other, cascade, output, wanted)
    assert contents(output) == before
    assert len(cascade.seen) == calls
    predict(other, cascade, output, overwrite=True)
    assert has_result(other, cascade, output)


def test_whether_the_voxel_size_is_known_makes_no_other_ct(scan, tmp_path):
    path = tmp_path / "ct.nii"
    write_segmentation(path, Segmentation((scene() > 0).astype(np.uint8), scan.volume.geometry))
    known, unknown = (read_scan(path, spacing_known=known) for known in (True, False))
    predict(known, thresholds(), tmp_path / "out")
    assert not has_result(unknown, thresholds(), tmp_path / "out")
    predict(unknown, thresholds(), tmp_path / "out")
    assert has_result(unknown, thresholds(), tmp_path / "out")


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


DAMAGED = {"not json": '{"made": ', "list": "[]", "deep": "[" * 200_000}


@pytest.mark.parametrize("damage", ["preview.png", "segmentation.dcm", REPORT, *DAMAGED])
def test_a_result_that_is_not_whole_does_not_count(scan, tmp_path, damage):
    output = tmp_path / "out"
    predict(scan, thresholds(), output)
    if damage in USUAL:
        (output / damage).unlink()
    else:
        (output / REPORT).write_text(DAMAGED[damage])
    write_files(output / ".unfinished", {"preview.png": b"of another process"})
    assert not has_result(scan, thresholds(), output)
    assert (output / ".unfinished" / "preview.png").exists()


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
def test_a_stop_at_any_step_leaves_nothing_that_counts(scan, tmp_path, monkeypatch, before):
    output = tmp_path / "out"
    predict(scan, thresholds(), tmp_path / "clean")
    path_type = type(output)
    real = {name: getattr(path_type, name) for name in ("replace", "unlink")}
    for stop in itertools.count():
        if before:
            predict(scan, thresholds(), output, EVERYTHING)
        steps = []

        def step(name, path, *args, stop=stop, steps=steps, **kwargs):
            temporary = name == "unlink" and path.name.endswith("-.result.json")
            folders = path.parent, *(target.parent for target in args)
            if output in folders and not temporary:
                if len(steps) == stop:
                    raise KeyboardInterrupt
                steps.append((name, path.name))
            return real[name](path, *args, **kwargs)

        for name in real:
            monkeypatch.setattr(
                path_type,
                name,
                lambda path, *args, name=name, step=step, **kwargs: step(
                    name, path, *args, **kwargs
                ),
            )
        stopped = False
        try:
            predict(scan, thresholds(), output)
        except KeyboardInterrupt:
            stopped = True
        for name, method in real.items():
            monkeypatch.setattr(path_type, name, method)
        reported = has_result(scan, thresholds(), output)
        # The report is the last but one step, the end of the marker the last.
        assert reported == (("replace", REPORT) in steps)
        # A program that was killed leaves its folder behind.
        write_files(output / ".unfinished", {"preview.png": b"half"})
        predict(scan, thresholds(), output)
        assert contents(output) == contents(tmp_path / "clean")
        if not stopped:
            break
        if not before:
            shutil.rmtree(output)
    assert reported
    assert stop == len(USUAL) + 3 + before * len(EXTRA)
