import numpy as np
import pytest

from liverjax.config import ExperimentConfig
from liverjax.datasets.in_memory import InMemorySource
from liverjax.datasets.order import Sampling
from liverjax.errors import ConfigError, InputError
from liverjax.training.sources import check_sources


@pytest.fixture
def source():
    images = np.arange(7, dtype=np.int16)[:, None, None, None] * np.ones((1, 4, 4, 1), np.int16)
    return InMemorySource(
        images, np.zeros_like(images, np.uint8), batch_size=3, sampling=Sampling(5)
    )


def ids(batches):
    return [batch["image"][:, 0, 0, 0].tolist() for batch in batches]


def test_epochs_differ_and_repeat(source):
    first = ids(source.train_batches(0))
    assert first == ids(source.train_batches(0))
    assert first != ids(source.train_batches(1))
    assert [len(batch) for batch in first] == [3, 3] == [3] * source.steps_per_epoch
    assert len({*first[0], *first[1]}) == 6


def test_evaluation_sees_every_slice_once_in_order(source):
    batches = list(source.eval_batches())
    assert {batch["image"].shape for batch in batches} == {(3, 4, 4, 1)}
    kept = [i for b in batches for i in b["image"][:, 0, 0, 0][b["weight"] > 0]]
    assert kept == list(range(7))


def test_arrays_that_do_not_belong_together_are_refused():
    images = np.zeros((4, 8, 8, 1), np.int16)
    with pytest.raises(InputError, match=r"\(3, 8, 8, 1\)"):
        InMemorySource(images, np.zeros((3, 8, 8, 1), np.uint8), batch_size=2)


def test_fewer_slices_than_a_batch_are_judged_but_not_trained_on():
    images = np.zeros((4, 8, 8, 1), np.int16)
    few = InMemorySource(images, np.zeros((4, 8, 8, 1), np.uint8), batch_size=5)
    with pytest.raises(ConfigError, match="there are 4 slices, fewer than one batch of 5"):
        _ = few.steps_per_epoch
    (batch,) = few.eval_batches()
    assert batch["weight"].tolist() == [1, 1, 1, 1, 0]


def with_copies(copies=True):
    """Seven slices of which the third shows tumour, with copies."""
    images = np.arange(7, dtype=np.int16)[:, None, None, None] * np.ones((1, 4, 4, 1), np.int16)
    labels = np.zeros_like(images, np.uint8)
    labels[2, 1, 1] = 2
    return InMemorySource(images, labels, batch_size=4, sampling=Sampling(5), copies=copies)


def test_an_epoch_goes_through_the_copies_too():
    source = with_copies()
    assert source.num_slices == 7 + 36
    assert source.steps_per_epoch == 10
    batches = list(source.train_batches(0))
    copies = np.concatenate([batch["copy"] for batch in batches])
    shown = np.concatenate([batch["image"][:, 0, 0, 0] for batch in batches])
    assert len(copies) == 40
    assert set(shown[copies > 0]) == {2}
    assert len(set(copies[copies > 0])) == (copies > 0).sum() >= 33
    last = list(source.eval_batches())[-1]
    assert last["weight"].tolist() == [1, 1, 1, 0]
    assert last["copy"].tolist() == [34, 35, 36, 0]


def test_a_source_without_the_copies_asked_for_is_refused(source):
    config = ExperimentConfig(batch_size=3, seed=5)
    check_sources(config, source, None)
    with pytest.raises(ConfigError, match=r"config\.augment\.copies: the validation source"):
        check_sources(ExperimentConfig(batch_size=4, seed=5), with_copies(False), with_copies())
    config.augment.copies = True
    with pytest.raises(ConfigError, match=r"config\.augment\.copies: True, but .* with False"):
        check_sources(config, source, None)


def test_patients_that_cannot_be_told_apart_cannot_be_balanced():
    images = np.zeros((4, 8, 8, 1), np.int16)
    arrays = images, images.astype(np.uint8)
    sampling = Sampling(patient_balance=0.5)
    with pytest.raises(ConfigError, match=r"config\.patient_balance: 0\.5, .* give `patients`"):
        InMemorySource(*arrays, batch_size=2, sampling=sampling)
    told = InMemorySource(*arrays, patients=np.array([0, 0, 0, 1]), batch_size=2, sampling=sampling)
    assert told.plan(0).shape == (2, 2)
