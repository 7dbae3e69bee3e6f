import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest

from liverjax.checkpoint import load_model
from liverjax.choices import Feed, Stage
from liverjax.config import PretrainConfig
from liverjax.datasets.in_memory import InMemorySource
from liverjax.datasets.order import Sampling
from liverjax.errors import ConfigError, InputError, TrainingError
from liverjax.io.lock import only_user
from liverjax.training.epochs import is_finished
from liverjax.training.log import MetricLog, read_metrics
from liverjax.training.loop import fit
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


def test_another_configuration_in_the_same_workdir_is_refused(finished):
    run, _ = finished
    with pytest.raises(ConfigError, match=r"config.seed: 0 -> 1"):
        fit(toy_config(epochs=3, seed=1), toy_source(order=1), None, run, {})


def test_an_impossible_configuration_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ConfigError, match="epochs"):
        fit(dataclasses.replace(toy_config(), epochs=0), toy_source(), None, tmp_path / "run", {})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("feed", [Feed.RESIDENT, Feed.STREAM])
def test_a_loss_that_is_not_finite_stops_with_the_step_and_is_not_kept(tmp_path, feed):
    config = toy_config(Stage.TUMOR, feed=feed)
    config.optimizer.learning_rate = 1e38
    with pytest.raises(TrainingError, match=r"step \d: the loss is nan"):
        fit(config, toy_source(), toy_source(1), tmp_path, {})
    assert not list((tmp_path / "checkpoints").iterdir())


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


@pytest.mark.parametrize(
    ("scores", "patience", "finished"),
    [
        ([0.5, 0.4, 0.4], 2, True),
        ([0.5, 0.4, 0.6], 2, False),
        ([0.5, 0.5, 0.5], 2, True),
        ([0.5], 2, False),
        ([0.5, 0.4, 0.4], 0, False),
        ([None, 0.5, None, 0.4], 1, True),
        ([0.1] * 9, 0, True),
    ],
)
def test_a_run_ends_when_its_patience_does(scores, patience, finished):
    records = [{"validation_dice": score} if score is not None else {} for score in scores]
    config = toy_config(epochs=9, patience=patience)
    assert is_finished(config, records) == finished


def test_evaluations_and_checkpoints_come_as_often_as_asked(tmp_path):
    config = toy_config(epochs=5, evaluate_every=2)
    fit(config, toy_source(), toy_source(1), tmp_path, {})
    records = read_metrics(tmp_path)
    assert ["validation_dice" in record for record in records] == [False, True, False, True, True]
    steps = {int(path.name) for path in (tmp_path / "checkpoints").iterdir()}
    assert {16, 20} <= steps <= {8, 16, 20}


def test_patience_without_validation_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"config\.patience"):
        fit(toy_config(patience=2), toy_source(), None, tmp_path / "run", {})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("side", "made_with", "message"),
    [
        ("train", {"batch_size": 8}, r"config\.batch_size: 4, but the training source .* with 8"),
        ("train", {"sampling": Sampling(5)}, r"config\.seed: 0, but the training source .* with 5"),
        (
            "train",
            {"sampling": Sampling(tumor_share=0.5)},
            r"config\.tumor_share: 0\.0, but the training source",
        ),
        (
            "train",
            {"sampling": Sampling(liver_share=0.5)},
            r"config\.liver_share: 0\.0, but the training source",
        ),
        ("validation", {"batch_size": 2}, r"config\.batch_size: 4, but the validation source"),
    ],
)
def test_a_source_made_for_another_configuration_is_refused(tmp_path, side, made_with, message):
    other = InMemorySource(*toy_slices(), **{"batch_size": 4, **made_with})
    sources = {"train": toy_source(), "validation": toy_source(1), side: other}
    with pytest.raises(ConfigError, match=message):
        fit(toy_config(), **sources, run=tmp_path / "run", manifest={})
    assert not (tmp_path / "run").exists()


def test_epochs_on_a_smaller_input_are_not_passed_over(tmp_path):
    config = toy_config(pretrain=PretrainConfig(epochs=1, size=16))
    with pytest.raises(ConfigError, match=r"config\.pretrain\.epochs: 1, but there are no weights"):
        fit(config, toy_source(), None, tmp_path / "run", {})


def test_the_manifest_is_made_for_the_step_that_the_run_goes_on_from(finished, tmp_path):
    told = []

    def begin(step, done):
        with pytest.raises(InputError, match="another process"), only_user(run):
            pass
        told.append((step, done))
        return {"begun": len(told)}

    run = tmp_path / "run"
    shutil.copytree(finished[0], run)
    shutil.rmtree(run / "checkpoints")
    for _ in range(2):
        fit(toy_config(epochs=3), toy_source(), toy_source(1), run, begin)
    (run / "checkpoints" / "12" / "contents.json").unlink()
    fit(toy_config(epochs=3), toy_source(), toy_source(1), run, begin)
    assert told == [(None, False), (12, True), (8, False)]
    assert load_model(run, 12).manifest == {"begun": 3}


def test_hu_reach_the_network_as_they_are():
    images, labels = toy_slices()
    batch = next(iter(toy_source().eval_batches()))
    np.testing.assert_array_equal(batch["image"], images[:4])
    np.testing.assert_array_equal(batch["label"], labels[:4])


def test_a_state_broken_by_the_last_update_of_an_epoch_is_not_kept(tmp_path):
    config = dataclasses.replace(toy_config(epochs=2), batch_size=16)
    config.optimizer.learning_rate = 1e38
    with pytest.raises(TrainingError, match=r"step \d+: "):
        fit(config, InMemorySource(*toy_slices(), batch_size=16), None, tmp_path, {})
    for path in (tmp_path / "checkpoints").iterdir():
        parameters = load_model(tmp_path, int(path.name)).variables["params"]
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(parameters))
