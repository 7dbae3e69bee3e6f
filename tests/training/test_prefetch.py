import jax
import numpy as np
import pytest

from liverjax.training.prefetch import prefetch


def batches(count, taken):
    for index in range(count):
        taken.append(index)
        yield {"image": np.full((2, 2), index, np.int16), "weight": np.ones(2, np.float32)}


@pytest.mark.parametrize("size", [1, 2, 5])
def test_order_and_values_are_kept(size):
    found = list(prefetch(batches(3, []), jax.device_put, size))
    assert [int(batch["image"][0, 0]) for batch in found] == [0, 1, 2]
    assert all(isinstance(batch["image"], jax.Array) for batch in found)
    assert found[0]["image"].dtype == np.int16


def test_reads_no_further_ahead_than_asked():
    taken = []
    ahead = prefetch(batches(10, taken), jax.device_put, size=2)
    next(ahead)
    assert taken == [0, 1]
    next(ahead)
    assert taken == [0, 1, 2]
