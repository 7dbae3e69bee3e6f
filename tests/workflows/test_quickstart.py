import itertools
import json

import nibabel
import numpy as np
import pytest

from liverjax.checkpoint import load_model
from liverjax.choices import Stage
from liverjax.errors import SplitError
from liverjax.io.ct import read_ct
from liverjax.workflows.quickstart import format_result, quickstart
from liverjax.workflows.report import read_evaluation
from tests.small_run import PATIENTS, run_quickstart, small_config


def test_the_cascade_learns_the_liver(small_run):
    _, result = small_run
    assert [score.case for score in result.scores] == list(PATIENTS.test)
    assert min(score.liver.dice for score in result.scores) > 0.7
    assert min(s.liver.dice for s in result.scores) > result.baselines[Stage.LIVER].mean_dice


def test_the_evaluation_has_its_documented_form(small_run):
    workdir, result = small_run
    assert read_evaluation(workdir).cases == result.scores
    with_tumor, without = result.scores
    found = json.loads((workdir / "aggregate.json").read_text())
    assert found["tumor"]["dice"]["mean"] == with_tumor.tumor.dice
    assert found["tumor"]["dice"]["undefined"] == 1
    assert without.tumor.dice is None
    assert without.tumor.false_positive_ml >= 0


def test_the_prediction_lies_on_the_grid_of_the_archive(small_run):
    workdir, result = small_run
    volume = read_ct(workdir / "archive" / "3Dircadb1.4.zip")
    assert result.predicted == "patient04"
    image = nibabel.load(workdir / "prediction" / "segmentation.nii.gz")
    assert image.shape == volume.hu.shape[::-1]
    to_lps = np.diag([-1, -1, 1, 1]) @ image.affine
    np.testing.assert_allclose(to_lps[:, [2, 1, 0, 3]], volume.geometry.affine, atol=1e-5)
    assert (workdir / "prediction" / "preview.png").read_bytes().startswith(b"\x89PNG")
    report = json.loads((workdir / "prediction" / "report.json").read_text())
    labels = np.asarray(image.dataobj)
    assert report["liver_ml"] == pytest.approx((labels > 0).sum() * volume.geometry.voxel_ml)
    # The networks name the patients that their thresholds were chosen on; the input is not named.
    assert result.predicted not in json.dumps(report)


def test_the_summary_shows_networks_and_baseline_side_by_side(small_run):
    workdir, result = small_run
    text = format_result(result)
    assert "patient05" in text
    assert f"{result.baselines[Stage.TUMOR].mean_dice:.3f}" in text
    assert str(workdir / "evaluation.json") in text


def test_no_network_has_seen_the_test_patients(small_run):
    workdir, _ = small_run
    for stage in Stage:
        patients = load_model(workdir / stage.value).manifest["patients"]
        assert patients["test"] == list(PATIENTS.test)
        assert not set(patients["test"]) & {*patients["train"], *patients["validation"]}


def test_what_is_finished_is_not_done_again(small_run):
    workdir, result = small_run
    files = [
        *workdir.glob("archive/*"),
        *workdir.glob("data/ircadb/*/*"),
        *workdir.glob("*/checkpoints/*"),
    ]
    before = {path: path.stat().st_mtime_ns for path in files}
    assert run_quickstart(workdir).scores == result.scores
    assert {path: path.stat().st_mtime_ns for path in files} == before


def test_real_archives_are_divided_by_patient(small_run, tmp_path):
    workdir, _ = small_run
    archive = tmp_path / "real"
    archive.mkdir()
    for number in (1, 2, 4):
        name = f"3Dircadb1.{number}.zip"
        (archive / name).write_bytes((workdir / "archive" / name).read_bytes())
    configs = [small_config(stage) for stage in Stage]
    for config in configs:
        config.epochs = 1
    result = quickstart(tmp_path / "work", *configs, manual_dir=archive)
    sides = load_model(tmp_path / "work" / "liver").manifest["patients"]
    assert sorted(itertools.chain(*sides.values())) == ["patient01", "patient02", "patient04"]
    assert [score.case for score in result.scores] == sides["test"]
    (archive / "3Dircadb1.4.zip").unlink()
    with pytest.raises(SplitError, match="at least 3 patients"):
        quickstart(tmp_path / "other", *configs, manual_dir=archive)
