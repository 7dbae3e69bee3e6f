import numpy as np
import pytest

from liverjax.errors import ConfigError, InputError
from liverjax.training.sources import InMemorySource


@pytest.fixture
def source():
    images = np.arange(7, dtype=np.int16)[:, None, None, None] * np.ones((1, 4, 4, 1), np.int16)
    return InMemorySource(images, np.zeros_like(images, np.uint8), batch_size=3, seed=5)


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
        InMemorySource(images, np.zeros((3, 8, 8, 1), np.uint8), batch_size=2, seed=0)
    with pytest.raises(ConfigError, match=r"at most 4 .*found 5"):
        InMemorySource(images, np.zeros((4, 8, 8, 1), np.uint8), batch_size=5, seed=0)
