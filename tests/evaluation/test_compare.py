import itertools

import numpy as np
import pytest
from scipy import stats

from liverjax.errors import InputError
from liverjax.evaluation.compare import (
    compare,
    compare_pairs,
    holm,
    pseudo_median,
    pseudo_median_interval,
    rank_biserial,
    signed_rank_p,
)
from liverjax.evaluation.tables import PerCase
from liverjax.reporting.comparison import format_comparison

# Depression before and after a tranquilliser: Hollander and Wolfe (1973), page 29.
DIFFERENCES = np.array([-0.952, 0.147, -1.022, -0.430, -0.620, -0.590, -0.490, 0.080, -0.010])


def test_p_of_the_textbook_and_of_scipy(rng):
    assert signed_rank_p(DIFFERENCES) == pytest.approx(0.0390625)
    many = rng.normal(0.1, 1.0, 80)
    assert signed_rank_p(many) == stats.wilcoxon(many).pvalue


def test_p_where_nothing_or_little_differs():
    assert signed_rank_p(np.zeros(5)) == 1.0
    assert signed_rank_p(np.array([0.5])) is None
    # Zeros do not count: as without them, exact.
    assert signed_rank_p(np.append(DIFFERENCES, 0.0)) == pytest.approx(0.0390625)


def test_the_pseudo_median_is_that_of_brute_force(rng):
    for size in (1, 2, 7, 20):
        values = rng.normal(size=size)
        means = [(a + b) / 2 for a, b in itertools.combinations_with_replacement(values, 2)]
        assert pseudo_median(values) == pytest.approx(np.median(means))
    assert pseudo_median(np.array([])) is None


def test_the_interval_holds_the_shifts_that_the_test_does_not_refuse(rng):
    values = rng.normal(0.5, 1.0, 12)
    low, high = pseudo_median_interval(values)
    assert low < pseudo_median(values) < high
    for shift, kept in ((low + 1e-6, True), (low - 1e-6, False), (high - 1e-6, True)):
        assert (signed_rank_p(values - shift) > 0.05) == kept
    assert signed_rank_p(values - high - 1e-6) <= 0.05
    assert pseudo_median_interval(values[:5]) is None
    assert pseudo_median_interval(values[:6]) == pytest.approx([min(values[:6]), max(values[:6])])


def test_rank_biserial_correlation():
    # Positive ranks are 3 and 2 of 45.
    assert rank_biserial(DIFFERENCES) == pytest.approx((5 - 40) / 45)
    assert rank_biserial(np.array([1.0, 2.0])) == 1.0
    assert rank_biserial(np.zeros(3)) == 0.0
    assert rank_biserial(np.array([])) is None


def test_holm_steps_down():
    assert holm([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, None, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]


def test_undefined_sides_are_dropped_and_counted():
    found = compare_pairs([(0.5, 0.75), (None, 0.5), (0.25, None), (None, None), (0.5, 0.25)])
    assert found["pairs"] == 2
    assert [found[name] for name in ("only_first", "only_second", "neither")] == [1, 1, 1]
    assert (found["first"], found["second"], found["difference"]) == (0.5, 0.5, 0.0)
    nothing = compare_pairs([(None, 1.0)])
    assert (nothing["pairs"], nothing["only_second"]) == (0, 1)
    assert {nothing[name] for name in ("first", "difference", "p", "rank_biserial")} == {None}


def test_tables_are_paired_by_the_name_of_the_case():
    first = PerCase(("x", "y"), {"a": (1.0, 1.0), "b": (2.0, 1.0), "c": (3.0, 1.0)})
    second = PerCase(("y", "x"), {"c": (1.0, 3.5), "a": (1.0, 1.5), "b": (1.0, 2.5)})
    x, y = compare(first, second)
    assert (x["column"], x["difference"], x["rank_biserial"]) == ("x", 0.5, 1.0)
    assert x["p"] == 0.25
    assert x["p_holm"] == 0.5
    assert (y["p"], y["p_holm"], y["difference"]) == (1.0, 1.0, 0.0)
    (only,) = compare(first, second, ["y"])
    assert only["p_holm"] == 1.0


def test_errors_with_a_sign_are_compared_by_their_size():
    columns = ("liver_rvd", "liver_dice", "mine")
    first = PerCase(columns, {"a": (-0.5, 0.5, -0.5), "b": (0.5, 0.5, 0.5)})
    second = PerCase(columns, {"a": (0.25, 0.75, 0.25), "b": (-0.25, 0.75, -0.25)})
    rvd, dice, mine = compare(first, second)
    assert (rvd["absolute"], dice["absolute"], mine["absolute"]) == (True, False, False)
    assert (rvd["first"], rvd["second"], rvd["difference"]) == (0.5, 0.25, -0.25)
    assert mine["difference"] == 0.0
    better = [entry["higher_is_better"] for entry in (rvd, dice, mine)]
    assert better == [False, True, None]
    table = format_comparison([rvd, dice, mine]).splitlines()
    assert [line.split()[0] for line in table[1:4]] == ["|liver_rvd|", "liver_dice", "mine"]
    assert [" second " in line for line in table[1:4]] == [True, True, False]
    assert "without its sign" in table[-1]


def test_other_cases_or_columns_are_refused():
    first = PerCase(("x",), {"a": (1.0,), "b": (1.0,)})
    second = PerCase(("x",), {"b": (1.0,), "c": (1.0,)})
    with pytest.raises(InputError, match=r"only one\.csv: a; in only two\.csv: c"):
        compare(first, second, names=("one.csv", "two.csv"))
    with pytest.raises(InputError, match=r"one\.csv: expected the column z, found x"):
        compare(first, first, ["z"], names=("one.csv", "two.csv"))
    with pytest.raises(InputError, match="the column of a figure"):
        compare(PerCase(("x",), {"a": (1.0,)}), PerCase(("y",), {"a": (1.0,)}))
