import dataclasses
import re
import signal

import jax
import numpy as np
import pytest

from liverjax.checkpoint import load_model
from liverjax.config import Stage
from liverjax.errors import CheckpointError
from liverjax.training.log import read_metrics
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
    assert (begun / "checkpoints" / "damaged" / "12").exists() == (damage == "corrupted")
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
