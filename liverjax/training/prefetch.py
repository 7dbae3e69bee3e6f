"""Batches on the device before the step asks for them."""

import collections
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import jax


def prefetch_to_device(
    batches: Iterable[Any], size: int = 2, sharding: jax.sharding.Sharding | None = None
) -> Iterator[Any]:
    """Yields `batches` in order, with up to `size` on the device at a time.

    Copies are asynchronous: while a step runs on one batch, the next ones are read and sent.

    Args:
        batches: trees of numpy arrays.
        size: batches on the device, the one just yielded included; at least 1.
        sharding: where the arrays go; the default device if None.
    """
    source = iter(batches)
    ahead = collections.deque(jax.device_put(batch, sharding) for batch in islice(source, size))
    while ahead:
        yield ahead.popleft()
        ahead.extend(jax.device_put(batch, sharding) for batch in islice(source, 1))
