import dataclasses
import errno
import functools
import itertools
import json
import re
import resource
import shutil
import signal
import struct
from pathlib import Path

import jax
import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event

from liverjax.checkpoint import load_model
from liverjax.choices import Feed, Stage
from liverjax.errors import CheckpointError, InputError, StoppedError, TrainingError
from liverjax.io import seal
from liverjax.io.lock import only_user
from liverjax.training.log import MetricLog, read_metrics
from liverjax.training.loop import fit
from tests.toy import toy_config, toy_source
from tests.training.kills import count, finish, kill_repeatedly, start

RESIDENT = ("epochs=4", "feed=resident")
STREAM = ("epochs=5", "feed=stream", "optimizer.ema_decay=0.9", "tumor_share=0.5")


@pytest.fixture(scope="module")
def left_alone(tmp_path_factory):
    """How a run with some fields ends that nothing happens to, see `finish`."""

    @functools.cache
    def end(fields):
        return finish(tmp_path_factory.mktemp("alone") / "run", fields)

    return end


@pytest.mark.parametrize(
    ("fields", "seed"), [(RESIDENT, 0), (STREAM, 2)], ids=["resident", "stream"]
)
def test_a_killed_run_ends_with_the_bits_of_one_left_alone(tmp_path, left_alone, fields, seed):
    met = kill_repeatedly(tmp_path / "killed", fields, kills=2, seed=seed)
    writes, steps = count(met)
    assert writes >= 1, met
    assert steps >= 1, met
    assert finish(tmp_path / "killed", fields) == left_alone(fields)


def test_a_run_that_is_asked_to_stop_saves_in_mid_epoch_and_goes_on(tmp_path, left_alone):
    process = start(tmp_path / "asked", STREAM)
    with process.stdout, process.stderr:
        for line in process.stdout:
            if line.strip() == "step 6":  # epochs have four
                process.send_signal(signal.SIGTERM)
                break
        told = process.stdout.read()
        process.wait()
    assert process.returncode == 3
    stopped = re.search(r"StoppedError liver: asked to stop, saved after step (\d+)", told)
    assert stopped
    assert int(stopped[1]) in (6, 7)
    assert finish(tmp_path / "asked", STREAM) == left_alone(STREAM)


class AsksAtTheEnd:
    """A source in whose first epoch the last batch brings a request to stop."""

    def __init__(self, source):
        self.source = source
        self.num_slices, self.steps_per_epoch = source.num_slices, source.steps_per_epoch
        self.batch_size, self.sampling = source.batch_size, source.sampling
        self.copies = source.copies

    def train_batches(self, epoch, start=0):
        for number, batch in enumerate(self.source.train_batches(epoch, start), start + 1):
            if (epoch, number) == (0, self.steps_per_epoch):
                signal.raise_signal(signal.SIGTERM)
            yield batch

    def eval_batches(self):
        return self.source.eval_batches()


@pytest.mark.parametrize("evaluate_every", [1, 2])
def test_a_request_at_the_end_of_an_epoch_leaves_a_run_that_goes_on(tmp_path, evaluate_every):
    config = toy_config(epochs=3, feed=Feed.STREAM, evaluate_every=evaluate_every)
    alone = fit(config, toy_source(), toy_source(1), tmp_path / "alone", {})
    with pytest.raises(StoppedError, match="saved after step"):
        fit(config, AsksAtTheEnd(toy_source()), toy_source(1), tmp_path / "asked", {})
    resumed = fit(config, toy_source(), toy_source(1), tmp_path / "asked", {})
    for left, right in zip(
        jax.tree.leaves(alone.params), jax.tree.leaves(resumed.params), strict=True
    ):
        np.testing.assert_array_equal(left, right)
    assert untimed(tmp_path / "asked") == untimed(tmp_path / "alone")


def untimed(run):
    return [{k: v for k, v in r.items() if k != "seconds"} for r in read_metrics(run)]


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_kill_between_a_checkpoint_and_its_log_loses_no_metrics(tmp_path, epochs, monkeypatch):
    config = toy_config(epochs=2)
    alone = fit(config, toy_source(), toy_source(1), tmp_path / "alone", {})
    write, count = MetricLog.write, itertools.count(1)

    def killed(self, record):
        if next(count) == epochs:
            raise KeyboardInterrupt
        write(self, record)

    with monkeypatch.context() as patch:
        patch.setattr(MetricLog, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            fit(config, toy_source(), toy_source(1), tmp_path / "killed", {})
    assert len(read_metrics(tmp_path / "killed")) == epochs - 1
    resumed = fit(config, toy_source(), toy_source(1), tmp_path / "killed", {})
    assert int(resumed.step) == int(alone.step)
    assert untimed(tmp_path / "killed") == untimed(tmp_path / "alone")


def test_a_folder_in_use_is_refused_and_what_is_no_checkpoint_is_left_alone(begun):
    own = begun / "checkpoints" / "mine"
    own.mkdir()
    (own / "notes").write_text("keep")
    with only_user(begun), pytest.raises(InputError, match="another process is writing here"):
        fit(toy_config(epochs=3), toy_source(), toy_source(1), begun, {})
    fit(toy_config(epochs=3), toy_source(), toy_source(1), begun, {})
    assert (own / "notes").read_text() == "keep"


def test_a_full_disk_leaves_the_checkpoints_before_it_usable(tmp_path, left_alone):
    process = start(tmp_path / "full", (*RESIDENT, "room=2"))
    told, _ = process.communicate(timeout=300)
    assert process.returncode == 3
    assert "CheckpointError" in told
    assert "step 12 cannot be written (File too large); those before it are intact" in told
    assert sorted(path.name for path in (tmp_path / "full" / "checkpoints").iterdir()) == ["4", "8"]
    assert load_model(tmp_path / "full", 8).step == 8
    assert finish(tmp_path / "full", RESIDENT) == left_alone(RESIDENT)


@pytest.mark.parametrize("deletable", [True, False])
def test_a_disk_that_is_full_at_the_seal_is_named_and_gets_its_room_back(
    tmp_path, monkeypatch, deletable
):
    write, count = seal.seal, itertools.count(1)

    def full(*arguments, **named):
        raise OSError(errno.ENOSPC, "No space left on device")

    def seal_first(folder):
        if next(count) > 1:
            for module, name in ((Path, "mkdir"), *([] if deletable else [(shutil, "rmtree")])):
                monkeypatch.setattr(module, name, full)
            full()
        write(folder)

    monkeypatch.setattr(seal, "seal", seal_first)
    with pytest.raises(CheckpointError, match=r"step 8 cannot be written \(No space left"):
        fit(toy_config(epochs=3), toy_source(), toy_source(1), tmp_path, {})
    left = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert left == (["4"] if deletable else ["4", "8"])


def points(run):
    """Step and train loss of what TensorBoard shows, purges included."""
    shown = {}
    for file in sorted((run / "events").iterdir(), key=lambda path: path.stat().st_mtime_ns):
        data, place = file.read_bytes(), 0
        while place < len(data):
            (size,) = struct.unpack_from("Q", data, place)
            event = Event.FromString(data[place + 12 : place + 12 + size])
            place += 12 + size + 4
            if event.HasField("session_log"):
                shown = {step: loss for step, loss in shown.items() if step < event.step}
            for value in event.summary.value:
                if value.tag == "train_loss":
                    shown[event.step] = value.simple_value
    return shown


def test_a_kill_and_a_line_cut_off_leave_the_log_and_its_points_whole(tmp_path):
    records = [{"step": step, "train_loss": 1.0 / step} for step in (4, 8, 16)]
    with MetricLog(tmp_path, [], 0) as log:
        log.write(records[0])
        assert points(tmp_path) == {4: 0.25}  # at once, not only on closing
        log.write({"step": 8, "train_loss": 0.5})
    for file in (tmp_path / "events").iterdir():
        file.unlink()  # points lost with the machine
    (tmp_path / "metrics.jsonl").write_text(json.dumps(records[0]) + '\n{"step": 8, "tr')
    with MetricLog(tmp_path, records[:1], 4) as log:
        log.write(records[1])
        log.write(records[2])
    assert read_metrics(tmp_path) == records
    assert points(tmp_path) == {4: 0.25, 8: 0.125, 16: 0.0625}


@pytest.mark.parametrize("file", ["metrics.jsonl", "events"])
def test_a_log_that_cannot_be_written_is_named(tmp_path, file):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    message = rf"{file}: cannot be written \(File too large\); the checkpoints are intact"
    with MetricLog(tmp_path, [], 0) as log:
        # Sixty bytes are room for a line of text, not for points after the head of their file.
        resource.setrlimit(resource.RLIMIT_FSIZE, (60 if file == "events" else 10, limit[1]))
        try:
            with pytest.raises(TrainingError, match=message):
                log.write({"step": 4, "loss": 0.5})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)


@pytest.fixture
def begun(tmp_path):
    """A run of two epochs, and the state that its third ends with."""
    fit(toy_config(epochs=3), toy_source(), toy_source(1), tmp_path / "whole", {})
    return tmp_path / "whole"


@pytest.mark.parametrize("damage", ["torn", "corrupted"])
def test_a_damaged_checkpoint_is_passed_over_and_named(begun, caplog, damage):
    weights = load_model(begun, 12).variables
    newest = begun / "checkpoints" / "12"
    if damage == "torn":
        (newest / "contents.json").unlink()
    else:
        largest = max((newest / "training").rglob("*"), key=lambda path: path.stat().st_size)
        content = bytearray(largest.read_bytes())
        content[len(content) // 2] ^= 1
        largest.write_bytes(content)
    with caplog.at_level("INFO", logger="liverjax"):
        fit(toy_config(epochs=3), toy_source(), toy_source(1), begun, {})
    assert any(str(newest) in line for line in caplog.messages)
    assert any("resumed after step 8" in line for line in caplog.messages)
    # What was complete once is kept for a look; what never was only takes room.
    assert (begun / "checkpoints" / "damaged").exists() == (damage == "corrupted")
    assert any("deleted" in line for line in caplog.messages) == (damage == "torn")
    assert [record["step"] for record in read_metrics(begun)] == [4, 8, 12]
    again = load_model(begun, 12).variables
    for left, right in zip(jax.tree.leaves(weights), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_run_starts_from_the_weights_of_another(begun, tmp_path):
    config = toy_config(epochs=1, init_from=str(begun))
    config.optimizer.learning_rate = 1e-9
    fit(config, toy_source(), toy_source(1), tmp_path / "second", {})
    best = load_model(begun)
    found = load_model(tmp_path / "second")
    for left, right in zip(
        jax.tree.leaves(best.variables["params"]),
        jax.tree.leaves(found.variables["params"]),
        strict=True,
    ):
        np.testing.assert_allclose(left, right, atol=1e-6)


def test_weights_that_do_not_fit_are_listed(begun, tmp_path):
    config = toy_config(Stage.LIVER, epochs=1, init_from=str(begun))
    config.model = dataclasses.replace(config.model, features=(8, 16))
    message = r"do not fit this network:(.|\n)*decoder0(.|\n)*expected \(.*\), found \(.*\)"
    with pytest.raises(CheckpointError, match=message):
        fit(config, toy_source(), None, tmp_path / "second", {})
