"""What holds where several processes train together."""

import signal
import socket
import subprocess
import sys
import types

import jax
import numpy as np
import pytest

from liverjax.errors import ConfigError
from liverjax.training import devices, epochs
from liverjax.training.metrics import Sums
from liverjax.training.resume import Progress
from tests.conftest import ROOT, optimized


def free_address():
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return f"localhost:{free.getsockname()[1]}"


def test_joining_leaves_a_process_that_can_be_told_to_end():
    program = (
        "import sys, time\n"
        "from liverjax.training.devices import join_processes\n"
        "join_processes(sys.argv[1], 1, 0)\n"
        "print('joined', flush=True)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, free_address()], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with process.stdout:
        assert process.stdout.readline() == "joined\n"
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(timeout=20) == -signal.SIGTERM
        finally:
            process.kill()


def test_a_request_to_one_process_stops_all_at_the_same_step(tmp_path):
    address, fields = free_address(), ("feed=stream", "epochs=200")
    module = [sys.executable, "-m", "tests.training.toy_run", str(tmp_path), *fields]
    environment = optimized(XLA_FLAGS="--xla_force_host_platform_device_count=1")
    pair = [
        subprocess.Popen(
            [*module, f"process={address},2,{index}"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for index in (0, 1)
    ]
    try:
        assert any(line == "step 2\n" for line in pair[1].stdout)
        pair[1].send_signal(signal.SIGTERM)
        told = [process.communicate(timeout=120)[0].splitlines()[-1] for process in pair]
    finally:
        for process in pair:
            process.kill()
    assert [process.returncode for process in pair] == [3, 3]
    assert "asked to stop, saved after step" in told[0]
    assert told[0] == told[1]


@pytest.mark.parametrize(("processes", "questions"), [(1, 20), (2, 2)])
def test_several_processes_seldom_wait_for_each_other(monkeypatch, processes, questions):
    asked = []
    monkeypatch.setattr(jax, "process_count", lambda: processes)
    monkeypatch.setattr(devices, "anywhere", lambda flag: asked.append(flag) or flag)
    groups = [(number, Sums.zeros((1,))) for number in range(1, 21)]
    feed = types.SimpleNamespace(train=lambda *_: iter(groups))
    session = types.SimpleNamespace(feed=feed, asked_to_stop=lambda: False)
    bar = types.SimpleNamespace(update=lambda number: None)
    start = types.SimpleNamespace(step=0)
    assert epochs._train_epoch(session, start, Progress(None), 20, bar) == 20
    assert len(asked) == questions


@pytest.mark.parametrize(
    ("there", "message"),
    [
        ({"dataset": "b", "steps": 4}, "differ in: dataset;"),
        ({"dataset": "b", "steps": 5}, "differ in: dataset, steps;"),
        ({"dataset": "a", "steps": 4}, None),
    ],
)
def test_processes_with_something_else_to_train_are_refused(monkeypatch, there, message):
    gathered = []

    def gather(digests):
        gathered.append(digests)
        return np.stack([gathered[0], digests])

    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(devices.multihost_utils, "process_allgather", gather)
    devices.check_same_everywhere({"dataset": "a", "steps": 4})
    if message is None:
        devices.check_same_everywhere(there)
        return
    with pytest.raises(ConfigError, match=message):
        devices.check_same_everywhere(there)
