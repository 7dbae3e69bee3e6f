import dataclasses
import itertools
import re
import signal

import jax
import numpy as np
import pytest

from liverjax.checkpoint import load_model
from liverjax.config import Feed, Stage
from liverjax.errors import CheckpointError, InputError, StoppedError
from liverjax.io.lock import only_user
from liverjax.training.log import MetricLog, read_metrics
from liverjax.training.loop import fit
from tests.toy import toy_config, toy_source
from tests.training.kills import finish, kill_repeatedly, start

RESIDENT = ("epochs=4", "feed=resident")
STREAM = ("epochs=6", "feed=stream", "optimizer.ema_decay=0.9", "tumor_share=0.5")


@pytest.mark.parametrize("fields", [RESIDENT, STREAM], ids=["resident", "stream"])
def test_a_killed_run_ends_with_the_bits_of_one_left_alone(tmp_path, fields):
    alone = finish(tmp_path / "alone", fields)
    struck = kill_repeatedly(tmp_path / "killed", fields, kills=3)
    assert struck
    assert finish(tmp_path / "killed", fields) == alone


def test_a_run_that_is_asked_to_stop_saves_in_mid_epoch_and_goes_on(tmp_path):
    alone = finish(tmp_path / "alone", STREAM)
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
    assert finish(tmp_path / "asked", STREAM) == alone


class AsksAtTheEnd:
    """A source in whose first epoch the last batch brings a request to stop."""

    def __init__(self, source):
        self.source = source
        self.num_slices, self.steps_per_epoch = source.num_slices, source.steps_per_epoch

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
    with only_user(begun), pytest.raises(InputError, match="another process is training here"):
        fit(toy_config(epochs=3), toy_source(), toy_source(1), begun, {})
    fit(toy_config(epochs=3), toy_source(), toy_source(1), begun, {})
    assert (own / "notes").read_text() == "keep"


def test_a_full_disk_leaves_the_checkpoints_before_it_usable(tmp_path):
    alone = finish(tmp_path / "alone", RESIDENT)
    process = start(tmp_path / "full", (*RESIDENT, "room=2"))
    told, _ = process.communicate(timeout=300)
    assert process.returncode == 3
    assert "CheckpointError" in told
    assert "step 12 cannot be written (File too large); those before it are intact" in told
    assert sorted(path.name for path in (tmp_path / "full" / "checkpoints").iterdir()) == ["4", "8"]
    assert load_model(tmp_path / "full", 8).step == 8
    assert finish(tmp_path / "full", RESIDENT) == alone


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
    assert (begun / "checkpoints" / "damaged" / "12").exists()
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
