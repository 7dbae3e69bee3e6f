"""The commands of the README, run as a user runs them."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import run
from tests.conftest import ROOT
from tests.io.dicom.files import (
    below,
    box,
    edited,
    example_hu,
    patient_files,
    series_files,
    write_files,
)
from tests.toy import NOT_AUGMENTED

WRITTEN = ["preview.png", "report.html", "report.json", "segmentation.dcm", "segmentation.nii.gz"]


def run_script(name, *flags):
    """A console script that was installed beside this Python, run outside of the checkout."""
    return subprocess.run(
        [Path(sys.executable).with_name(name), *map(str, flags)],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


def written(folder):
    """Names of what lies in a folder, the lock aside."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def test_predict_reads_a_patient_archive_and_writes_its_files(small_run, tmp_path):
    workdir, _ = small_run
    output = tmp_path / "new" / "folder"
    flags = [
        f"--input={workdir / 'archive' / '3Dircadb1.5.zip'}",
        f"--liver={workdir / 'liver'}",
        f"--tumor={workdir / 'tumor'}",
        f"--output={output}",
    ]
    result = run("predict", *flags)
    assert result.returncode == 0, result.stderr
    assert written(output) == WRITTEN
    assert result.stdout.split() == [
        str(output / name) for name in [*WRITTEN[:2], *WRITTEN[3:], WRITTEN[2]]
    ]
    assert json.loads((output / "report.json").read_text())["liver_ml"] > 100
    before = (output / "report.json").stat().st_mtime_ns
    again = run_script("liverjax-predict", *flags)
    assert again.stdout.startswith("there already"), again.stderr
    assert (output / "report.json").stat().st_mtime_ns == before


def test_the_script_predicts_a_folder_of_patients(small_run, tmp_path):
    workdir, _ = small_run
    patients = tmp_path / "patients"
    patients.mkdir()
    for number in (4, 5):
        shutil.copy(workdir / "archive" / f"3Dircadb1.{number}.zip", patients)
    (patients / "3Dircadb1.6.zip").write_bytes(b"no archive")
    result = run_script(
        "liverjax-predict",
        f"--input={patients}",
        f"--liver={workdir / 'liver'}",
        f"--tumor={workdir / 'tumor'}",
        f"--output={tmp_path / 'out'}",
        "--anonymize",
        "--probabilities",
        "--fractional",
    )
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    failed, *numbers, summary, output = result.stdout.splitlines()
    assert failed.startswith("patients/3Dircadb1.6.zip: ")
    assert numbers == [f"case00{n - 3}: patients/3Dircadb1.{n}.zip" for n in (4, 5)]
    assert summary == "2 CTs done, 0 skipped, 1 failed"
    assert output == str(tmp_path / "out")
    assert written(tmp_path / "out") == ["case001", "case002"]
    extra = ["liver_probability.nii.gz", "segmentation_fractional.dcm", "tumor_probability.nii.gz"]
    for name in ("case001", "case002"):
        assert written(tmp_path / "out" / name) == sorted(WRITTEN + extra)


def test_the_script_lists_series_without_networks(tmp_path):
    thick = series_files(box(0, 9)[:5], "thick")
    write_files(
        tmp_path / "ct",
        below("thin", series_files(example_hu(), "thick"))
        | {
            f"thick/{path}": edited(data, SeriesInstanceUID="2.25.9")
            for path, data in thick.items()
        },
    )
    listing = run_script(
        "liverjax-predict",
        "--list_series",
        f"--input={tmp_path / 'x'}",
        f"--input={tmp_path / 'ct'}",
    )
    assert listing.returncode == 1
    assert f"error: {tmp_path / 'x'}: no such file or folder\n" in listing.stderr
    first, second, thick_line, thin_line = listing.stdout.splitlines()
    assert (first, second) == (f"{tmp_path / 'x'}:", f"{tmp_path / 'ct'}:")
    assert thick_line.startswith("  ct/thick: CT, 5 slices")
    assert thin_line.startswith("* ct/thin: CT, 12 slices, 1.6 x 0.75 x 0.5 mm")
    assert "liver_04" not in listing.stdout


def list_series(*flags):
    """Exit code, lines and errors of --list_series."""
    result = run_script("liverjax-predict", "--list_series", *flags)
    return result.returncode, result.stdout.splitlines()[1:], result.stderr.splitlines()


def test_a_star_marks_only_what_would_be_read(tmp_path):
    other = {
        path: edited(data, SeriesInstanceUID="2.25.9")
        for path, data in series_files(box(0, 9)).items()
    }
    ct = write_files(tmp_path / "ct", below("a", series_files(example_hu())) | below("b", other))
    code, lines, (error,) = list_series(f"--input={ct / 'a'}", "--series_uid=2.25.1")
    assert (code, len(lines), lines[0][0]) == (1, 1, " ")
    assert error == f"error: {ct / 'a'}: no series 2.25.1; found"
    code, lines, _ = list_series(f"--input={ct}", "--series_uid=2.25.9")
    assert (code, [line[0] for line in lines]) == (0, [" ", "*"])
    patient = write_files(tmp_path / "patient", patient_files({"liver": box(2, 9)}))
    for mesh in (True, False):  # no archive, which predict does not open
        code, lines, errors = list_series(f"--input={patient}")
        assert (code, errors, len(lines)) == (0, [], 2)
        (line,) = (line for line in lines if line.startswith("*"))
        assert line.startswith("* patient/PATIENT_DICOM: CT, 12 slices")
        assert any("MESHES_VTK.zip" in line for line in lines) == mesh
        (patient / "MESHES_VTK.zip").unlink(missing_ok=True)
    (tmp_path / "ct.nii").write_bytes(b"no image")
    code, lines, (error,) = list_series(f"--input={tmp_path / 'ct.nii'}")
    assert (code, lines) == (1, [])
    assert "ct.nii" in error


INTERRUPTED = """
import atexit, os
from liverjax.commands import app

def main():
    print("done so far")
    raise KeyboardInterrupt

# What XLA's threads do while the interpreter is taken down.
atexit.register(os.kill, os.getpid(), 11)
app.run(main)
"""


def test_an_interrupt_ends_the_program_before_anything_can_crash():
    result = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout) == (130, "done so far\n")
    assert result.stderr == "interrupted\n"


def test_without_input_the_error_is_one_line():
    result = run_script("liverjax-predict", "--output=o")
    assert result.returncode == 1
    assert result.stderr == "error: --input: expected a path, found nothing\n"


@pytest.mark.parametrize(
    ("script", "flags"),
    [
        ("liverjax-predict", ["--input", "--series_uid", "--[no]lenient", "--[no]anonymize"]),
        ("liverjax-score", ["--predictions", "--references", "--output", "--images"]),
    ],
)
def test_the_help_of_a_script_lists_its_flags(script, flags):
    shown = run_script(script, "--help").stdout
    assert f"{script} --" in shown
    for flag in flags:
        assert f"  {flag}:" in shown


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["--series_uid=1.2", "--input=b"], "--series_uid: expected one CT as --input, found 2"),
        (["--tumor=t", "--output=o"], "--liver: expected a folder"),
        (["--input="], "--input: expected a path"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(flags, problem):
    result = run_script("liverjax-predict", "--input=a", *flags)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: {problem}")


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
        *(f"--config.augment.{name}={strength}" for name, strength in NOT_AUGMENTED.items()),
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
