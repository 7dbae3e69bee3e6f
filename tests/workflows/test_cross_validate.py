"""A cross-validation of tiny networks by its command: killed, continued, divided and merged."""

import csv
import json
import shutil
import signal
import subprocess
import sys
import time

import pytest

from configs import quickstart_cross_validation
from liverjax.choices import Stage
from liverjax.errors import ConfigError, InputError, SplitError
from liverjax.inference.calibration import read_calibration
from liverjax.inference.load import load_network
from liverjax.workflows.cross_validate import PLAN, cross_validate, make_folds, merge
from liverjax.workflows.prepared import open_prepared
from tests.conftest import ROOT
from tests.toy import NOT_AUGMENTED

EVERYBODY = tuple(f"patient{number:02d}" for number in range(1, 7))
FOLDS = 2
FIELDS = (
    f"--config.folds={FOLDS}",
    "--config.validation=1",
    f"--config.patients={EVERYBODY}",
    *(
        f"--config.{stage}.{field}"
        for stage in ("liver", "tumor")
        for field in (
            "evaluate_every=8",
            "all_slices=True",  # so that folds are of few sizes, and compiled but once
            "epochs=8",
            "batch_size=4",
            "preprocess.size=32",
            "model.features=(4, 8)",
            "model.momentum=0.5",
            *(f"augment.{name}={strength}" for name, strength in NOT_AUGMENTED.items()),
        )
    ),
)


def start(small_run, workdir, *flags):
    command = [
        *(sys.executable, "-m", "experiments.cross_validate"),
        f"--config={ROOT / 'configs' / 'quickstart_cross_validation.py'}",
        *FIELDS,
        f"--data_dir={small_run[0] / 'data'}",
        f"--workdir={workdir}",
        *flags,
    ]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(small_run, workdir, *flags):
    process = start(small_run, workdir, *flags)
    told, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors[-3000:]
    return told


def kill_within(small_run, workdir, path):
    """Kills a cross-validation once `path` has appeared in its workdir."""
    process = start(small_run, workdir)
    with process.stdout, process.stderr:
        while not (workdir / path).exists():
            assert process.poll() is None, process.stderr.read()[-3000:]
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def whole(small_run, tmp_path_factory):
    """Killed once in the second fold, continued, and done."""
    workdir = tmp_path_factory.mktemp("killed")
    kill_within(small_run, workdir, "fold1/tumor/manifest.json")
    assert not (workdir / "per_case.csv").exists()
    return workdir, finish(small_run, workdir)


@pytest.fixture(scope="module")
def parts(small_run, whole, tmp_path_factory):
    """Folds in two workdirs, as on two machines: the one that was killed is trained anew.

    The others are those of the first run, as it takes long to train them again.
    """
    first, second = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")
    finish(small_run, first, "--folds=1")
    for name in (PLAN, "fold0"):
        copy = shutil.copytree if (whole[0] / name).is_dir() else shutil.copyfile
        copy(whole[0] / name, second / name)
    return first, second


def rows(workdir):
    with (workdir / "per_case.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_patient_is_judged_once_by_networks_that_have_not_seen_it(whole):
    workdir, told = whole
    assert [row["case"] for row in rows(workdir)] == list(EVERYBODY)
    assert "mean" in told
    plan = json.loads((workdir / PLAN).read_text())
    assert len(plan["folds"]) == FOLDS
    for number, fold in enumerate(plan["folds"]):
        folder = workdir / f"fold{number}"
        for run in ("liver", "tumor", "inner0", "inner1"):
            seen = json.loads((folder / run / "manifest.json").read_text())["patients"]
            assert not {*seen["train"], *seen["validation"]} & set(fold["test"])
            # Thresholds are chosen on validation patients alone.
        for run in ("liver", "tumor"):
            assert read_calibration(folder / run).patients == tuple(fold["validation"])


def test_livers_of_the_tumour_stage_are_of_networks_that_have_not_seen_them(whole):
    workdir, _ = whole
    fold = json.loads((workdir / PLAN).read_text())["folds"][0]
    trained = [
        json.loads((workdir / "fold0" / run / "manifest.json").read_text())["patients"]["train"]
        for run in ("inner0", "inner1")
    ]
    assert sorted(trained[0] + trained[1]) == sorted(fold["train"])
    stored = sorted(path.stem for path in (workdir / "fold0" / "livers").iterdir())
    assert stored == sorted(fold["train"] + fold["validation"])
    manifest = json.loads((workdir / "fold0" / "tumor" / "manifest.json").read_text())
    assert len(manifest["dataset"]["livers"]) == 64


def test_a_killed_run_that_goes_on_gives_the_table_of_folds_run_apart_and_merged(
    whole, parts, tmp_path, small_run
):
    assert not any((part / "per_case.csv").exists() for part in parts)
    anew, killed = ((each / "fold1" / "evaluation.json") for each in (parts[0], whole[0]))
    assert anew.read_bytes() == killed.read_bytes()
    finish(small_run, tmp_path / "merged", f"--merge={parts[0]},{parts[1]}")
    for name in ("per_case.csv", "lesions.csv", "aggregate.json"):
        assert (tmp_path / "merged" / name).read_bytes() == (whole[0] / name).read_bytes()
    page = (tmp_path / "merged" / "index.html").read_text()
    for number in range(FOLDS):
        network = load_network(whole[0] / f"fold{number}" / "liver", Stage.LIVER)
        assert network.fingerprint[:12] in page or number == 1  # which was trained anew


def test_what_is_done_is_left_alone(whole, small_run):
    workdir, told = whole
    before = (workdir / "fold0" / "evaluation.json").stat().st_mtime_ns
    assert finish(small_run, workdir) == told
    assert (workdir / "fold0" / "evaluation.json").stat().st_mtime_ns == before


def test_a_fold_that_is_missing_everywhere_is_named(parts, tmp_path):
    with pytest.raises(InputError, match=r"expected every fold, found none of \[1\]"):
        merge([parts[1]], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_workdirs_of_other_plans_are_not_merged(parts, tmp_path):
    other = shutil.copytree(parts[1], tmp_path / "other")
    plan = json.loads((other / PLAN).read_text())
    plan["config"]["seed"] = 5
    (other / PLAN).write_text(json.dumps(plan))
    with pytest.raises(InputError, match=r"differs .* in config\.seed: 0 -> 5"):
        merge([parts[0], other], tmp_path / "out")
    (other / PLAN).write_text("{}")
    with pytest.raises(InputError, match=r"plan\.json: no plan of a cross-validation"):
        merge([other], tmp_path / "out")


def test_plans_of_before_a_field_came_are_still_those(parts, tmp_path):
    old = shutil.copytree(parts[1], tmp_path / "old")
    plan = json.loads((old / PLAN).read_text())
    del plan["config"]["liver"]["pretrain"]
    (old / PLAN).write_text(json.dumps(plan))
    merge([parts[0], old], tmp_path / "out")


def test_a_workdir_belongs_to_one_plan(small_run, whole):
    config = quickstart_cross_validation.get_config()
    collection = open_prepared("ircadb", small_run[0] / "data")
    with pytest.raises(ConfigError, match=r"begun with another plan, which differs in config"):
        cross_validate(config, collection, whole[0])


def test_impossible_protocols_are_refused(small_run, tmp_path):
    config = quickstart_cross_validation.get_config()
    collection = open_prepared("ircadb", small_run[0] / "data")
    with pytest.raises(ConfigError, match="folds: expected numbers from 0 to 4, found 7"):
        cross_validate(config, collection, tmp_path / "run", [7])
    config.validation = 3
    with pytest.raises(SplitError, match=r"expected at least inner_folds \(2\)"):
        make_folds(config, collection)
    config.liver.dataset.train = ("patient01",)
    with pytest.raises(ConfigError, match=r"config\.liver\.dataset\.train: expected nobody"):
        cross_validate(config, collection, tmp_path / "run")
    config.liver.dataset.train = ()
    config.tumor.epochs = 0
    with pytest.raises(ConfigError, match=r"^config\.tumor\.epochs: expected at least 1, found 0"):
        cross_validate(config, collection, tmp_path / "run")
    assert not (tmp_path / "run").exists()
