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
    """

    benchmark: str
    unit: str
    items: int
    timings: tuple[Timing, ...]
    agreement: Mapping[str, float] = dataclasses.field(default_factory=dict)
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def best_peer(self) -> Timing | None:
        """The fastest of the others; None where there are none."""
        return best_of(self.timings[1:]) if len(self.timings) > 1 else None

    @property
    def ratio(self) -> Spread | None:
        """Our speed relative to the best peer's, round by round."""
        return None if self.best_peer is None else paired_ratio(self.timings[0], self.best_peer)


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
