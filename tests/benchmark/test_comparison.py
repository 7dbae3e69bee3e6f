import numpy as np
import pytest

from liverjax.benchmark.comparison import Comparison, check_close
from liverjax.benchmark.timing import Timing
from liverjax.errors import BenchmarkError


def test_difference_is_the_largest():
    assert check_close("HU", "peer", [1, 5], [1, 3], 2) == 2


@pytest.mark.parametrize("found", [[4.0], [np.nan]])
def test_contenders_that_differ_are_refused_by_name(found):
    with pytest.raises(BenchmarkError, match=r"logits of torch eager: expected at most 0\.1 away"):
        check_close("logits", "torch eager", found, [1.0], 0.1)


def test_ratio_is_against_the_fastest_peer():
    timings = [
        Timing(name, 0, (seconds,) * 3, 1) for name, seconds in (("o", 2), ("s", 9), ("f", 1))
    ]
    comparison = Comparison("task", "slices/s", 4, tuple(timings))
    assert {name: ratio.median for name, ratio in comparison.ratios.items()} == {"f": 0.5}


def test_a_best_peer_at_lower_precision_does_not_stand_alone():
    timings = [Timing(n, 0, (s,) * 3, 1) for n, s in (("o", 2), ("full", 3), ("half", 1))]
    comparison = Comparison("t", "slices/s", 4, tuple(timings), lower_precision=frozenset({"half"}))
    medians = {name: ratio.median for name, ratio in comparison.ratios.items()}
    assert medians == {"half": 0.5, "full": 1.5}


def test_ours_alone_has_no_ratio():
    comparison = Comparison("task", "slices/s", 4, (Timing("o", 0, (1,), 1),))
    assert comparison.ratios == {}
