"""What one benchmark found, and the check that its contenders compute the same."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from liverjax.benchmark.timing import Spread, Timing, best_of, paired_ratio
from liverjax.errors import BenchmarkError

OURS = "liverjax"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Contenders on one task.

    Attributes:
        benchmark: its name.
        unit: what is counted per second.
        items: how many of them a unit of work handles.
        timings: ours first.
        agreement: by contender, how far its result is from ours.
        facts: whatever else belongs to the figures; JSON-ready.
        lower_precision: contenders that compute in fewer bits than ours, against which there is
            a ratio of its own.
    """

    benchmark: str
    unit: str
    items: int
    timings: tuple[Timing, ...]
    agreement: Mapping[str, float] = dataclasses.field(default_factory=dict)
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    lower_precision: frozenset[str] = frozenset()

    @property
    def ratios(self) -> dict[str, Spread]:
        """Our speed relative to the best peer's, round by round, by that peer's name.

        Where the best of all peers computes at lower precision, the best of the others follows.
        """
        peers = self.timings[1:]
        alike = [timing for timing in peers if timing.name not in self.lower_precision]
        best = [best_of(group) for group in (peers, alike) if group]
        return {peer.name: paired_ratio(self.timings[0], peer) for peer in best}


def check_close(what: str, contender: str, found: ArrayLike, ours: ArrayLike, most: float) -> float:
    """The largest absolute difference between a contender's values and ours, at most `most`.

    Raises:
        BenchmarkError: it is larger, so that the two did not do the same work.
    """
    difference = float(np.max(np.abs(np.asarray(found, np.float64) - np.asarray(ours, np.float64))))
    if not difference <= most:
        raise BenchmarkError(
            f"{what} of {contender}: expected at most {most:.2g} away from {OURS}, found "
            f"{difference:.2g}; the contenders do not compute the same"
        )
    return difference
