"""Whether two methods differ on the same cases: paired, without a distribution assumed.

Differences are those of the second table less the first. The test is Wilcoxon's signed-rank test
(Wilcoxon 1945) of the differences that are not 0; the estimate is the pseudo-median of Hodges and
Lehmann (1963), the median of the means of all pairs of differences; the size of the effect is
the matched-pairs rank-biserial correlation (Kerby 2014). P values over several columns are
corrected by Holm (1979).

Errors that have a sign are compared by their size, as too much in one case does not make up for
too little in another.
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from liverjax.errors import InputError
from liverjax.evaluation.bootstrap import LEVEL
from liverjax.evaluation.case import HIGHER_IS_BETTER, SIGNED, STRUCTURES
from liverjax.evaluation.tables import PerCase

_SIGNED = {f"{structure}_{metric}" for structure in STRUCTURES for metric in SIGNED}
_BETTER = {
    f"{structure}_{metric}": higher
    for structure in STRUCTURES
    for metric, higher in HIGHER_IS_BETTER.items()
}


def compare(
    first: PerCase,
    second: PerCase,
    columns: Sequence[str] = (),
    names: tuple[str, str] = ("the first table", "the second table"),
) -> list[dict[str, Any]]:
    """The paired comparison of each column, as plain numbers and dicts for JSON.

    Args:
        first, second: tables of the same cases, in any order.
        columns: which to compare; by default all that both have.
        names: of the two tables, for messages.

    Returns:
        An entry per column: see `compare_pairs`, with the `column`; whether its size without
        the sign was compared (`absolute`); whether more of it is better (`higher_is_better`,
        None where that is not known of a column of somebody else's); and `p_holm`, the p value
        corrected for all columns that have one.

    Raises:
        InputError: the tables hold different cases, or a column is missing in one of them.
    """
    check_same_cases(first, second, names)
    both = tuple(name for name in first.columns if name in second.columns)
    chosen = tuple(dict.fromkeys(columns)) or both
    for table, name in ((first, names[0]), (second, names[1])):
        missing = [column for column in chosen if column not in table.columns]
        if missing or not chosen:
            raise InputError(
                f"{name}: expected the column {', '.join(missing) or 'of a figure'}, "
                f"found {', '.join(table.columns) or 'none'}"
            )
    found = []
    for column in chosen:
        sides = [first.columns.index(column), second.columns.index(column)]
        pairs = [(row[sides[0]], second.rows[case][sides[1]]) for case, row in first.rows.items()]
        absolute = column in _SIGNED
        if absolute:
            pairs = [(_size(one), _size(other)) for one, other in pairs]
        kind = {"absolute": absolute, "higher_is_better": _BETTER.get(column)}
        found.append({"column": column, **kind, **compare_pairs(pairs)})
    for entry, p in zip(found, holm([entry["p"] for entry in found]), strict=True):
        entry["p_holm"] = p
    return found


def check_same_cases(first: PerCase, second: PerCase, names: tuple[str, str]) -> None:
    """Refuses tables of different cases.

    Raises:
        InputError: names the cases that only one of the tables has.
    """
    alone = [
        f"only {name}: {', '.join(sorted(one.rows.keys() - other.rows.keys()))}"
        for one, other, name in ((first, second, names[0]), (second, first, names[1]))
        if one.rows.keys() - other.rows.keys()
    ]
    if alone:
        raise InputError(f"expected the same cases in both tables, found in {'; in '.join(alone)}")


def compare_pairs(pairs: Sequence[tuple[float | None, float | None]]) -> dict[str, Any]:
    """Compares the figures of two methods, case by case.

    Returns:
        `pairs` that are defined on both sides; how many cases are so on one alone (`only_first`,
        `only_second`: what one method has missed) or on none (`neither`). Over the pairs, the
        means of both sides (`first`, `second`) and their `difference`, which is the second less
        the first as all that follows; `pseudo_median` with its 95 % `interval`
        (None below 6 pairs, of which none is that sure); `rank_biserial`, from -1 where the first
        is always larger to 1, and 0 where all are equal; `p` of Wilcoxon's test, 1 where all are
        equal. Without a pair all are None, and `p` is so with a single one.
    """
    defined = [pair for pair in pairs if pair[0] is not None and pair[1] is not None]
    values = np.array(defined, np.float64).reshape(-1, 2)
    differences = values[:, 1] - values[:, 0]
    any_pair = len(values) > 0
    return {
        "pairs": len(values),
        "only_first": sum(second is None for first, second in pairs if first is not None),
        "only_second": sum(first is None for first, second in pairs if second is not None),
        "neither": sum(pair == (None, None) for pair in pairs),
        "first": float(values[:, 0].mean()) if any_pair else None,
        "second": float(values[:, 1].mean()) if any_pair else None,
        "difference": float(differences.mean()) if any_pair else None,
        "pseudo_median": pseudo_median(differences),
        "interval": pseudo_median_interval(differences),
        "rank_biserial": rank_biserial(differences),
        "p": signed_rank_p(differences),
    }


def signed_rank_p(differences: np.ndarray) -> float | None:
    """Two-sided p of Wilcoxon's test of float [N]; None below 2, 1 where all are 0.

    Zeros are left out first, so that SciPy takes the exact distribution where nothing is tied
    and no more than 50 remain.
    """
    if len(differences) < 2:
        return None
    changed = differences[differences != 0]
    return float(stats.wilcoxon(changed).pvalue) if changed.size else 1.0


def pseudo_median(differences: np.ndarray) -> float | None:
    """Median of the Walsh averages of float [N], those of each with itself included."""
    return float(np.median(_walsh(differences))) if len(differences) else None


def pseudo_median_interval(differences: np.ndarray) -> list[float] | None:
    """The 95 % interval of the pseudo-median, from the exact distribution of the signed ranks.

    Differences of 0 count in it, while the test leaves them out: with many of them it can hold 0
    although the test refuses it.

    Returns:
        None where there are too few of float [N]: below 6.
    """
    cut = _critical(len(differences))
    if cut < 1:
        return None
    averages = np.sort(_walsh(differences))
    return [float(averages[cut - 1]), float(averages[-cut])]


def rank_biserial(differences: np.ndarray) -> float | None:
    """Share of the rank sum above 0 less that below of float [N]; 0 where all are 0."""
    if not len(differences):
        return None
    changed = differences[differences != 0]
    if not changed.size:
        return 0.0
    ranks = stats.rankdata(np.abs(changed))
    return float(np.sum(ranks * np.sign(changed)) / np.sum(ranks))


def holm(values: Sequence[float | None]) -> list[float | None]:
    """P values corrected for their number by Holm's step-down rule; None stays None."""
    order = sorted((p, i) for i, p in enumerate(values) if p is not None)
    corrected: list[float | None] = [None] * len(values)
    largest = 0.0
    for rank, (p, place) in enumerate(order):
        largest = max(largest, min(1.0, p * (len(order) - rank)))
        corrected[place] = largest
    return corrected


def _size(value: float | None) -> float | None:
    return None if value is None else abs(value)


def _walsh(differences: np.ndarray) -> np.ndarray:
    """Means of all pairs: float [N (N + 1) / 2]."""
    above, below = np.triu_indices(len(differences))
    return (differences[above] + differences[below]) / 2


@functools.cache
def _critical(count: int) -> int:
    """How many Walsh averages of `count` differences lie below the 95 % interval, and one."""
    chances = np.zeros(count * (count + 1) // 2 + 1)  # of each sum of the positive ranks
    chances[0] = 1.0
    for rank in range(1, count + 1):
        chances[rank:] = chances[rank:] + chances[: chances.size - rank]
        chances /= 2
    return int(np.searchsorted(np.cumsum(chances), (1 - LEVEL) / 2, side="right"))
