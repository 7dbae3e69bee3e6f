"""The benchmarks at sizes that say nothing of speed: do they run, and on equal terms?"""

import importlib.util
import json
import os
import subprocess
import sys

import pytest

from liverjax.benchmark import suite
from liverjax.benchmark.epoch import share_outside_step
from liverjax.benchmark.settings import Settings, TorchMode
from liverjax.errors import BenchmarkError
from tests.conftest import ROOT

TINY = {"size": 32, "batch_size": 2, "features": (8, 8), "repeats": 1, "slices": 6}
ALONE = Settings(**TINY, peers=False)


@pytest.mark.parametrize("name", list(suite.BENCHMARKS))
def test_ours_runs_without_peers(name):
    (comparison,) = suite.run(ALONE, [name])
    assert comparison.benchmark == name
    assert len(comparison.timings) == (2 if name == "epoch" else 1)
    assert all(len(timing.seconds) == 1 for timing in comparison.timings)
    assert comparison.items == {"train_step": 2, "inference": 2, "profile": 2}.get(name, 6)
    if name == "profile":
        assert {"convolution, ms per step", "sum, ms per step"} <= set(comparison.facts)


@pytest.mark.parametrize("name", ["train_step", "inference", "cascade"])
def test_pytorch_computes_the_same(name):
    pytest.importorskip("torch")
    settings = Settings(**TINY, torch_modes=(TorchMode.EAGER,))
    (comparison,) = suite.run(settings, [name])
    assert comparison.agreement["torch eager"] < 1e-2
    assert list(comparison.ratios) == ["torch eager"]


def test_monai_makes_as_many_batches():
    pytest.importorskip("monai")
    (comparison,) = suite.run(Settings(**TINY, workers=(0,)), ["input_pipeline"])
    assert [timing.name for timing in comparison.timings] == ["liverjax", "monai, 0 workers"]


def test_simpleitk_and_pydicom_read_the_same(tmp_path):
    pytest.importorskip("SimpleITK")
    output = tmp_path / "figures.json"
    flags = ["--only=dicom", "--size=16", "--slices=4", "--repeats=1", f"--output={output}"]
    done = run_command(*flags)
    assert done.returncode == 0, done.stderr
    assert "times the speed of" in done.stdout
    found = json.loads(output.read_text())
    assert found["benchmarks"]["dicom"]["difference_from_ours"] == {"SimpleITK": 0, "pydicom": 0}
    assert "--slices=4" in found["machine"]["command"]


def test_a_missing_peer_is_named_before_anything_runs(monkeypatch):
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "monai" else object()
    )
    with pytest.raises(BenchmarkError, match=r"monai: not installed.*\[bench\].*--nopeers"):
        suite.run(Settings(**TINY), ["dicom", "input_pipeline"])


def test_an_unknown_benchmark_is_refused():
    done = run_command("--only=speed")
    assert done.returncode == 1
    assert done.stderr.startswith("error: speed: no such benchmark; expected some of train_step")


@pytest.mark.parametrize("name", ["input_pipeline", "epoch"])
def test_too_few_slices_are_refused(name):
    settings = Settings(**{**TINY, "batch_size": 7}, peers=False)
    with pytest.raises(BenchmarkError, match="6 slices do not fill a batch of 7"):
        list(suite.run(settings, [name]))


def test_one_network_of_a_cascade_is_refused(tmp_path):
    settings = Settings(**TINY, peers=False, liver=tmp_path)
    with pytest.raises(BenchmarkError, match="both or neither"):
        list(suite.run(settings, ["cascade"]))


def test_share_of_an_epoch_outside_its_steps():
    assert share_outside_step(10.0, 9.0) == pytest.approx(0.1)


def run_command(*flags):
    return subprocess.run(
        [sys.executable, "-m", "experiments.benchmark", *flags],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
