import dataclasses

import jax
import numpy as np
import pytest

from configs import thesis_liver
from liverjax.choices import Feed, Stage
from liverjax.config import PreprocessConfig
from liverjax.datasets.in_memory import InMemorySource
from liverjax.datasets.order import Sampling
from liverjax.training import feed as feed_module
from liverjax.training import resident
from liverjax.training.devices import all_devices
from liverjax.training.feed import bytes_per_slice, choose_feed, open_feed
from liverjax.training.metrics import accumulate, summarize
from liverjax.training.program import build_program
from tests.toy import BATCH, SLICES, toy_config, toy_slices, toy_source


def run_epochs(kind, config, train, validation, start=0):
    """Weights after two epochs, and the figures of training and validation."""
    devices = all_devices()
    program = build_program(config, 8, devices.everywhere)
    feed = open_feed(kind, config, program, train, validation, devices)
    state, totals = program.state, np.zeros(5)
    for epoch in (0, 1):
        for after, sums in feed.train(state, epoch, start):
            state, totals = after, accumulate(totals, sums)
    judged = np.zeros(5)
    for sums in feed.evaluate(state):
        judged = accumulate(judged, sums)
    return state, summarize(totals), summarize(judged)


@pytest.mark.parametrize(
    ("stage", "shares", "group"),
    [
        (Stage.TUMOR, {"tumor_share": 0.5}, 8),
        (Stage.LIVER, {"liver_share": 0.25}, 1),
    ],
)
def test_both_feeds_train_on_the_same_batches(stage, shares, group, monkeypatch):
    monkeypatch.setattr(resident, "steps_per_dispatch", lambda: group)
    config = toy_config(stage, **shares)
    images, labels = toy_slices()
    # Half of the slices without what is sought.
    labels[::2] = np.minimum(labels[::2], 1 if stage is Stage.TUMOR else 0)

    def source():
        return InMemorySource(images, labels, batch_size=BATCH, sampling=Sampling(**shares))

    first, train, judged = run_epochs(Feed.RESIDENT, config, source(), toy_source(1))
    second, other_train, other_judged = run_epochs(Feed.STREAM, config, source(), toy_source(1))
    assert train == pytest.approx(other_train, rel=1e-5)
    assert judged == pytest.approx(other_judged, rel=1e-3)
    assert int(first.step) == int(second.step) == 8
    for left, right in zip(
        jax.tree.leaves(first.params), jax.tree.leaves(second.params), strict=True
    ):
        np.testing.assert_allclose(left, right, atol=1e-4)


def test_both_feeds_see_the_copies_of_the_thesis():
    images, labels = toy_slices()
    labels[1:] = np.minimum(labels[1:], 1)  # one slice with tumour
    config = thesis_config()

    def source():
        return InMemorySource(images, labels, batch_size=BATCH, copies=True)

    assert source().num_slices == SLICES + 36
    first, train, _ = run_epochs(Feed.RESIDENT, config, source(), toy_source(1))
    second, other_train, _ = run_epochs(Feed.STREAM, config, source(), toy_source(1))
    assert int(first.step) == int(second.step) == 2 * (SLICES + 36) // BATCH
    assert train == pytest.approx(other_train, rel=1e-4)


def thesis_config():
    """The toy problem by the recipe of the thesis."""
    config = toy_config()
    config.preprocess = dataclasses.replace(
        thesis_liver.get_config().preprocess, size=config.preprocess.size
    )
    config.augment = thesis_liver.only_copies()
    return config


@pytest.mark.parametrize(
    ("kind", "group"), [(Feed.RESIDENT, 1), (Feed.RESIDENT, 3), (Feed.STREAM, 1)]
)
def test_an_epoch_taken_up_in_its_middle_ends_as_a_whole_one(kind, group, monkeypatch):
    monkeypatch.setattr(resident, "STEPS_PER_DISPATCH", 3)
    monkeypatch.setattr(resident, "steps_per_dispatch", lambda: group)
    config, devices = toy_config(Stage.TUMOR), all_devices()
    program = build_program(config, 4, devices.everywhere)
    feed = open_feed(kind, config, program, toy_source(), None, devices)
    copy = jax.tree.map(lambda leaf: leaf.copy(), program.state)
    whole = list(feed.train(copy, 0, 0))[-1][0]
    first = next(iter(feed.train(program.state, 0, 0)))[0]
    done = int(first.step)
    assert 0 < done < 4
    rest = list(feed.train(first, 0, done))[-1][0]
    for left, right in zip(
        jax.tree.leaves(whole.params), jax.tree.leaves(rest.params), strict=True
    ):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("group", [1, 8])
def test_padding_of_the_last_batch_does_not_count(group, monkeypatch):
    monkeypatch.setattr(resident, "steps_per_dispatch", lambda: group)
    images, labels = toy_slices()
    odd = InMemorySource(images[:6], labels[:6], batch_size=BATCH)
    config, devices = toy_config(), all_devices()
    program = build_program(config, 4, devices.everywhere)
    found = []
    for kind in (Feed.RESIDENT, Feed.STREAM):
        feed = open_feed(kind, config, program, toy_source(), odd, devices)
        totals = np.zeros(5)
        for sums in feed.evaluate(program.state):
            totals = accumulate(totals, sums)
        found.append(totals)
    assert found[0][1] == found[1][1] == 6
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4)


def test_slices_stay_on_the_device_where_they_fit(monkeypatch):
    config = toy_config()
    needed = 2 * SLICES * bytes_per_slice(config.preprocess)
    chosen = []
    for memory in (4 * needed, 2 * needed):
        monkeypatch.setattr(feed_module, "_device_bytes", lambda memory=memory: memory)
        chosen.append(choose_feed(config, toy_source(), toy_source()))
    assert chosen == [Feed.RESIDENT, Feed.STREAM]
    stream = dataclasses.replace(config, feed=Feed.STREAM)
    assert choose_feed(stream, toy_source(), None) is Feed.STREAM


def test_a_slice_takes_what_is_reckoned():
    config = toy_config()
    program = build_program(config, 4)
    example = program.to_example(next(toy_source().eval_batches()))
    taken = sum(leaf.nbytes for leaf in jax.tree.leaves(example))
    assert taken == BATCH * bytes_per_slice(PreprocessConfig(size=config.preprocess.size))
