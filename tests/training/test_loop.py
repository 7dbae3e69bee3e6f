import dataclasses
import json

import jax
import numpy as np
import pytest

from liverjax.checkpoint import load_model
from liverjax.errors import ConfigError, TrainingError
from liverjax.training.log import MetricLog, read_metrics
from liverjax.training.loop import fit
from liverjax.training.sources import InMemorySource
from tests.toy import toy_config, toy_slices, toy_source


def arrays(state):
    return [np.asarray(leaf) for leaf in jax.tree.leaves((state.params, state.batch_stats))]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    state = fit(toy_config(epochs=3), toy_source(), toy_source(1), run, {"made": "by a test"})
    return run, state


def test_a_run_leaves_metrics_events_and_checkpoints(finished):
    run, state = finished
    records = read_metrics(run)
    assert [record["step"] for record in records] == [4, 8, 12]
    wanted = {"train_loss", "train_dice", "validation_loss", "validation_dice", "learning_rate"}
    assert wanted <= set(records[0])
    assert list((run / "events").glob("events*"))
    best = load_model(run)
    scores = {record["step"]: record["validation_dice"] for record in records}
    assert scores[best.step] == max(scores.values())
    assert best.manifest == {"made": "by a test"}
    assert int(state.step) == 12


def test_a_finished_run_is_left_as_it_is(finished):
    run, state = finished
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    again = fit(toy_config(epochs=3), toy_source(), toy_source(1), run, {})
    for left, right in zip(arrays(state), arrays(again), strict=True):
        np.testing.assert_array_equal(left, right)
    assert {p: p.stat().st_mtime_ns for p in run.rglob("*") if p.is_file()} == before


class Interrupted:
    """A source that fails in the middle of epoch 1, as a power cut would."""

    def __init__(self, source):
        self.source = source
        self.num_slices, self.steps_per_epoch = source.num_slices, source.steps_per_epoch

    def train_batches(self, epoch, start=0):
        for index, batch in enumerate(self.source.train_batches(epoch, start), start):
            if (epoch, index) == (1, 2):
                raise KeyboardInterrupt
            yield batch

    def eval_batches(self):
        return self.source.eval_batches()


def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(finished, tmp_path):
    run, state = finished
    with pytest.raises(KeyboardInterrupt):
        fit(toy_config(epochs=3), Interrupted(toy_source()), toy_source(1), tmp_path, {})
    assert [record["step"] for record in read_metrics(tmp_path)] == [4]
    resumed = fit(toy_config(epochs=3), toy_source(), toy_source(1), tmp_path, {})
    for left, right in zip(arrays(state), arrays(resumed), strict=True):
        np.testing.assert_array_equal(left, right)

    def untimed(folder):
        return [{k: v for k, v in r.items() if k != "seconds"} for r in read_metrics(folder)]

    assert untimed(tmp_path) == untimed(run)


def test_another_configuration_in_the_same_workdir_is_refused(finished):
    run, _ = finished
    with pytest.raises(ConfigError, match=r"config.seed: 0 -> 1"):
        fit(toy_config(epochs=3, seed=1), toy_source(), None, run, {})


def test_an_impossible_configuration_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ConfigError, match="epochs"):
        fit(dataclasses.replace(toy_config(), epochs=0), toy_source(), None, tmp_path / "run", {})
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_not_finite_stops_with_the_step_and_keeps_the_checkpoint(tmp_path):
    class Poisoned(Interrupted):
        def train_batches(self, epoch, start=0):
            for index, batch in enumerate(self.source.train_batches(epoch, start)):
                yield batch if (epoch, index) != (1, 1) else dict(batch, spacing=...)

    with pytest.raises(TrainingError, match="step 6: the loss is nan"):
        fit(toy_config(), Poisoned(toy_source()), toy_source(1), tmp_path, {})
    assert load_model(tmp_path).step == 4


def test_the_log_drops_what_will_be_done_again_and_lines_cut_off(tmp_path):
    records = [{"step": step, "train_loss": 1.0 / step} for step in (4, 8)]
    with MetricLog(tmp_path, [], 0) as log:
        for record in records:
            log.write(record)
    with (tmp_path / "metrics.jsonl").open("a") as lines:
        lines.write('{"step": 12, "train_l')
    assert read_metrics(tmp_path) == records
    with MetricLog(tmp_path, records[:1], 4) as log:
        log.write({"step": 8, "train_loss": 0.5})
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [4, 8]


def test_hu_reach_the_network_as_they_are():
    images, labels = toy_slices()
    batch = next(iter(toy_source().eval_batches()))
    np.testing.assert_array_equal(batch["image"], images[:4])
    np.testing.assert_array_equal(batch["label"], labels[:4])


def test_a_state_broken_by_the_last_update_of_an_epoch_is_not_kept(tmp_path):
    config = toy_config(epochs=2)
    config.optimizer.learning_rate = 1e38
    with pytest.raises(TrainingError, match=r"step \d+: "):
        fit(config, InMemorySource(*toy_slices(), batch_size=16, seed=0), None, tmp_path, {})
    for path in (tmp_path / "checkpoints").iterdir():
        parameters = load_model(tmp_path, int(path.name)).variables["params"]
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(parameters))
