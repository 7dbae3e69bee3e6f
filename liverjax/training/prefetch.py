"""Batches on the device before the step asks for them."""

import collections
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any


def prefetch(batches: Iterable[Any], put: Callable[[Any], Any], size: int = 2) -> Iterator[Any]:
    """Yields `batches` in order, with up to `size` on the device at a time.

    Copies are asynchronous: while a step runs on one batch, the next ones are read and sent.

    Args:
        batches: trees of numpy arrays.
        put: sends one to the device, or to several.
        size: batches on the device, the one just yielded included; at least 1.
    """
    source = iter(batches)
    ahead = collections.deque(put(batch) for batch in islice(source, size))
    while ahead:
        yield ahead.popleft()
        ahead.extend(put(batch) for batch in islice(source, 1))
