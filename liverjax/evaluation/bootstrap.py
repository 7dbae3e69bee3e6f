"""Percentile bootstrap over cases (Efron & Tibshirani 1993, chapter 13): intervals of means."""

import functools

import numpy as np

LEVEL = 0.95


@functools.lru_cache(maxsize=2)  # of many figures that cover the same number of cases
def draw(cases: int, resamples: int, seed: int) -> np.ndarray:
    """How often each case is drawn in each resample, which has as many as there are: int [B, N].

    Args:
        cases: N, at least 1.
        resamples: B.
        seed: equal seeds give equal draws.
    """
    drawn = np.random.default_rng(seed).multinomial(cases, np.full(cases, 1 / cases), resamples)
    drawn.flags.writeable = False
    return drawn


def mean_interval(values: np.ndarray, resamples: int, seed: int) -> list[float] | None:
    """Both ends of the 95 % interval of a mean; None with fewer than two cases.

    Args:
        values: float [N], one per case.
        resamples, seed: see `draw`.
    """
    return ratio_interval(values, np.ones(len(values)), resamples, seed)


def ratio_interval(
    above: np.ndarray, below: np.ndarray, resamples: int, seed: int
) -> list[float] | None:
    """Both ends of the 95 % interval of sum(above) / sum(below) over cases.

    Resamples in which the sum below is 0 have no ratio and are left out.

    Args:
        above, below: float [N], one per case.
        resamples, seed: see `draw`.

    Returns:
        None where fewer than two cases have anything below: one alone does not vary.
    """
    if np.count_nonzero(below) < 2:
        return None
    drawn = draw(len(above), resamples, seed)
    totals = drawn @ below
    ratios = (drawn @ above)[totals > 0] / totals[totals > 0]
    return [float(end) for end in np.quantile(ratios, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])]
