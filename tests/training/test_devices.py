import dataclasses
import socket
import subprocess
import sys

import jax
import numpy as np
import pytest

from liverjax.choices import Stage
from liverjax.config import OptimizerConfig
from liverjax.datasets.in_memory import InMemorySource
from liverjax.errors import ConfigError
from liverjax.training import devices
from liverjax.training.log import read_metrics
from liverjax.training.program import build_program
from tests.conftest import ROOT, optimized
from tests.toy import toy_config, toy_slices

# Group norm and no bias before it: nothing in this network but what its gradients decide, so that
# rounding alone tells the runs apart.
FIELDS = (
    "stage=tumor",
    "batch_size=8",
    "epochs=4",
    "tumor_share=0.5",
    "optimizer.learning_rate=0.001",
)
# Sums over devices are rounded in another order than on one, and each update builds on the last.
TOLERANCE = 1e-4


def start(workdir, *fields, device_count=1):
    return python("-m", "tests.training.toy_run", workdir, *FIELDS, *fields, devices=device_count)


def python(*arguments, devices):
    environment = optimized(XLA_FLAGS=f"--xla_force_host_platform_device_count={devices}")
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def losses(workdir, *processes):
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors[-2000:]
    records = read_metrics(workdir)
    assert len(records) == 4
    return [record[f"{side}_loss"] for record in records for side in ("train", "validation")]


@pytest.fixture(scope="module")
def on_one_device(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("one")
    return losses(workdir, start(workdir))


@pytest.mark.parametrize("feed", ["resident", "stream"])
def test_eight_devices_give_the_losses_of_one(tmp_path, on_one_device, feed):
    found = losses(tmp_path, start(tmp_path, f"feed={feed}", device_count=8))
    assert found == pytest.approx(on_one_device, rel=TOLERANCE)


@pytest.mark.parametrize("feed", ["resident", "stream"])
def test_two_processes_give_the_losses_of_one(tmp_path, on_one_device, feed):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    pair = [start(tmp_path, f"process={address},2,{index}", f"feed={feed}") for index in (0, 1)]
    assert losses(tmp_path, *pair) == pytest.approx(on_one_device, rel=TOLERANCE)


def one_step(file):
    """Keeps what batch norm has seen in one step on all devices, and the sums of the step."""
    config = toy_config(Stage.LIVER)
    config.batch_size = 16
    config.optimizer = OptimizerConfig(learning_rate=1e-3, accumulate=2)
    mesh = devices.all_devices()
    program = build_program(config, 1, mesh.everywhere)
    source = InMemorySource(*toy_slices(), batch_size=16)
    batch = devices.put_batch(next(iter(source.train_batches(0))), mesh)
    example = jax.jit(program.to_example, out_shardings=mesh.by_slice)(batch)
    step = jax.jit(program.train_step, out_shardings=mesh.everywhere)
    state, sums = step(program.state, example)
    statistics = jax.tree.leaves(state.batch_stats)
    assert statistics
    np.savez(file, np.array(jax.device_count()), *statistics, *jax.tree.leaves(sums))


def test_batch_norm_sees_the_slices_of_all_devices(tmp_path):
    # Each part of the batch leaves one slice to each of eight devices: statistics of the slices
    # of a device alone would be far off.
    processes = {}
    for count in (1, 8):
        call = "import sys; from tests.training.test_devices import one_step; one_step(sys.argv[1])"
        processes[count] = python("-c", call, tmp_path / f"{count}.npz", devices=count)
    found = {}
    for count, process in processes.items():
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors[-2000:]
        number, *found[count] = np.load(tmp_path / f"{count}.npz").values()
        assert number == count
    for one, eight in zip(found[1], found[8], strict=True):
        np.testing.assert_allclose(eight, one, rtol=2e-5, atol=2e-6)


def test_batches_that_the_devices_cannot_share_are_refused(monkeypatch):
    monkeypatch.setattr(jax, "device_count", lambda: 8)
    config = dataclasses.replace(toy_config(), batch_size=12)
    with pytest.raises(ConfigError, match=r"batch_size: expected a multiple of 8 .*found 12"):
        devices.check_devices(config)


@pytest.mark.parametrize(
    ("coordinator", "message"),
    [
        (None, "expected HOST:PORT for 2 processes"),
        ("nonsense", "expected HOST:PORT, found nonsense"),
    ],
)
def test_processes_that_cannot_meet_are_refused(coordinator, message):
    with pytest.raises(ConfigError, match=message):
        devices.join_processes(coordinator, 2, 0)
    devices.join_processes(None, 1, 0)


def test_a_process_that_is_none_of_them_is_refused():
    with pytest.raises(ConfigError, match="expected 0 to 1, found 2"):
        devices.join_processes("localhost:1", 2, 2)
