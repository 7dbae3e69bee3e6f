"""The commands of the README, run as a user runs them."""

import json
import shutil

import pytest

from tests.commands import run
from tests.conftest import ROOT


def test_predict_reads_a_patient_archive_and_writes_three_files(small_run, tmp_path):
    workdir, _ = small_run
    result = run(
        "predict",
        f"--input={workdir / 'archive' / '3Dircadb1.5.zip'}",
        f"--liver={workdir / 'liver'}",
        f"--tumor={workdir / 'tumor'}",
        f"--output={tmp_path / 'new' / 'folder'}",
    )
    assert result.returncode == 0, result.stderr
    written = sorted(path.name for path in (tmp_path / "new" / "folder").iterdir())
    assert written == ["preview.png", "report.json", "segmentation.nii.gz"]
    assert json.loads((tmp_path / "new" / "folder" / "report.json").read_text())["liver_ml"] > 100


def test_an_error_is_one_line_that_names_the_file(small_run, tmp_path):
    workdir, _ = small_run
    (tmp_path / "notes.zip").write_bytes(b"no archive at all")
    flags = [f"--{stage}={workdir / stage}" for stage in ("liver", "tumor")]
    result = run(
        "predict", f"--input={tmp_path / 'notes.zip'}", *flags, f"--output={tmp_path / 'out'}"
    )
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert "notes.zip" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_train_takes_fields_of_the_configuration_as_flags(small_run, tmp_path):
    workdir, _ = small_run
    flags = [
        f"--config={ROOT / 'configs' / 'quickstart_liver.py'}",
        f"--workdir={tmp_path / 'run'}",
        f"--data_dir={workdir / 'data'}",
        "--config.epochs=1",
        "--config.preprocess.size=32",
        "--config.model.features=(4, 8)",
        "--config.dataset.train=('patient01',)",
        "--config.dataset.validation=()",
        "--config.dataset.test=()",
    ]
    result = run("train", *flags)
    assert result.returncode == 0, result.stderr
    config = json.loads((tmp_path / "run" / "manifest.json").read_text())["config"]
    assert config["epochs"] == 1
    assert config["model"]["features"] == [4, 8]
    assert config["dataset"]["train"] == ["patient01"]
    assert "--config.epochs=1" in (tmp_path / "run" / "manifest.json").read_text()


@pytest.mark.parametrize(
    "flag",
    [
        "--config.epoch=1",
        "--config.stage=kidney",
        "--config.preprocess.channels=0",
        "--config.model.features=(8.5, 16)",
    ],
)
def test_a_wrong_field_is_refused_by_name(flag, tmp_path):
    config = ROOT / "configs" / "quickstart_liver.py"
    result = run("train", f"--config={config}", f"--workdir={tmp_path / 'run'}", flag)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "error: " in result.stderr
    assert flag.removeprefix("--config.").partition("=")[0] in result.stderr
    assert not (tmp_path / "run").exists()


def test_evaluate_scores_the_held_out_patients(small_run, tmp_path):
    workdir, quickstart = small_run
    flags = [f"--{stage}={workdir / stage}" for stage in ("liver", "tumor")]
    result = run(
        "evaluate", *flags, f"--data_dir={workdir / 'data'}", f"--output={tmp_path / 'scores'}"
    )
    assert result.returncode == 0, result.stderr
    written = json.loads((tmp_path / "scores" / "evaluation.json").read_text())
    assert written == json.loads((workdir / "evaluation.json").read_text())
    assert f"{quickstart.scores[0].liver.dice:.3f}" in result.stdout


def test_an_output_that_is_a_file_is_refused_and_left_alone(small_run, tmp_path):
    workdir, _ = small_run
    (tmp_path / "taken").write_text("mine")
    flags = [f"--{stage}={workdir / stage}" for stage in ("liver", "tumor")]
    source = workdir / "archive" / "3Dircadb1.5.zip"
    result = run("predict", f"--input={source}", *flags, f"--output={tmp_path / 'taken'}")
    assert result.returncode == 1
    assert "taken: cannot be made a folder" in result.stderr
    assert "Traceback" not in result.stderr
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_damaged_checkpoint_is_one_line(small_run, tmp_path):
    workdir, _ = small_run
    shutil.copytree(workdir / "liver", tmp_path / "liver")
    for path in (tmp_path / "liver").glob("checkpoints/*/model/ocdbt.process_0/d/*"):
        path.unlink()
    for path in (tmp_path / "liver").glob("checkpoints/*/model/d/*"):
        path.unlink()
    result = run(
        "predict",
        f"--input={workdir / 'archive' / '3Dircadb1.5.zip'}",
        f"--liver={tmp_path / 'liver'}",
        f"--tumor={workdir / 'tumor'}",
        f"--output={tmp_path / 'out'}",
    )
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert "is missing" in line
