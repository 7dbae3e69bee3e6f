"""Contenders timed in turns, and what can be said of times that a busy machine has disturbed.

Contenders take turns (A, B, C, A, B, C, ...), so that whatever else the machine does meets all of
them alike, and are compared repeat by repeat.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from liverjax.errors import BenchmarkError


class Contender(NamedTuple):
    """Something to be timed.

    Attributes:
        name: unique in its comparison.
        run: does the work that many times over and returns when the last of it is done, on the
            device as well. It does it anew each time: nothing is kept from an earlier call.
    """

    name: str
    run: Callable[[int], None]


class Timing(NamedTuple):
    """What one contender took.

    Attributes:
        name: of the contender.
        warmup_s: its first call, which compiles and allocates; no part of `seconds`.
        seconds: of each timed turn.
        calls: units of work in a turn.
    """

    name: str
    warmup_s: float
    seconds: tuple[float, ...]
    calls: int


class Spread(NamedTuple):
    """Median, quartiles (linear between the nearest two) and extremes of repeats."""

    median: float
    lower: float
    upper: float
    least: float
    most: float


def interleave(
    contenders: Sequence[Contender],
    repeats: int,
    calls: int = 1,
    hopeless: float = 8.0,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Timing]:
    """Times all contenders in turns.

    Everyone first runs twice outside the rounds: the first call compiles, the second shows the
    speed after that. A peer that then needs more than `hopeless` times as long as the fastest
    peer cannot be the best one: it leaves, with that second call as its only turn.

    Args:
        contenders: in the order of their turns: first the one in question, then its peers.
        repeats: rounds.
        calls: units of work per turn.
        hopeless: see above; at least 1.
        clock: seconds since any moment.

    Returns:
        One `Timing` per contender, in their order.

    Raises:
        BenchmarkError: fewer than one repeat or unit of work.
    """
    if repeats < 1 or calls < 1:
        raise BenchmarkError(f"expected repeats and calls of at least 1, found {repeats}, {calls}")

    def timed(contender: Contender) -> float:
        """Seconds of one turn."""
        start = clock()
        contender.run(calls)
        return clock() - start

    warmups = [timed(contender) for contender in contenders]
    trials = [timed(contender) for contender in contenders]
    limit = hopeless * min(trials[1:], default=0.0)
    running = [index == 0 or trial <= limit for index, trial in enumerate(trials)]
    turns: list[list[float]] = [
        [] if runs else [trial] for runs, trial in zip(running, trials, strict=True)
    ]
    for _ in range(repeats):
        for index, contender in enumerate(contenders):
            if running[index]:
                turns[index].append(timed(contender))
    return [
        Timing(contender.name, warmup, tuple(seconds), calls)
        for contender, warmup, seconds in zip(contenders, warmups, turns, strict=True)
    ]


def spread(values: Sequence[float]) -> Spread:
    """Of one or more values."""
    least, lower, median, upper, most = np.percentile(values, (0, 25, 50, 75, 100)).tolist()
    return Spread(median, lower, upper, least, most)


def rates(timing: Timing, items: int) -> Spread:
    """Items per second over the turns of a contender that handles `items` in a unit of work."""
    return spread([items * timing.calls / seconds for seconds in timing.seconds])


def best_of(timings: Sequence[Timing]) -> Timing:
    """The one with the shortest median turn."""
    return min(timings, key=lambda timing: spread(timing.seconds).median)


def paired_ratio(timing: Timing, other: Timing) -> Spread:
    """Speed of `timing` relative to `other`, round by round: above 1 where `timing` is faster.

    Of a peer that left there is one turn only, which is paired with our first.
    """
    return spread([b / a for a, b in zip(timing.seconds, other.seconds, strict=False)])
