"""The benchmarks by name, run one after the other."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from liverjax.benchmark import (
    cascade,
    dicom,
    epoch,
    inference,
    input_pipeline,
    profile,
    scoring,
    train_step,
)
from liverjax.benchmark.comparison import Comparison
from liverjax.benchmark.peers import require
from liverjax.benchmark.settings import Settings
from liverjax.errors import BenchmarkError


class Benchmark(NamedTuple):
    """A comparison, and the packages that its peers need."""

    compare: Callable[[Settings], Comparison]
    packages: tuple[str, ...]


BENCHMARKS = {
    train_step.NAME: Benchmark(train_step.compare_train_step, ("torch",)),
    inference.NAME: Benchmark(inference.compare_inference, ("torch",)),
    input_pipeline.NAME: Benchmark(input_pipeline.compare_input_pipeline, ("torch", "monai")),
    cascade.NAME: Benchmark(cascade.compare_cascade, ("torch",)),
    dicom.NAME: Benchmark(dicom.compare_dicom, ("SimpleITK",)),
    scoring.NAME: Benchmark(scoring.compare_scoring, ("medpy",)),
    epoch.NAME: Benchmark(epoch.compare_epoch, ()),
    profile.NAME: Benchmark(profile.compare_profile, ()),
}
# The last two have no peer, and that of scoring takes minutes; they run when asked for.
_USUAL = tuple(
    name for name, entry in BENCHMARKS.items() if entry.packages and name != scoring.NAME
)


def run(settings: Settings, only: Sequence[str] = ()) -> Iterator[Comparison]:
    """Runs the benchmarks `only`, or the usual ones, in their order above.

    Raises:
        BenchmarkError: an unknown name, or a peer that is not installed; before anything runs.
    """
    unknown = sorted(set(only) - set(BENCHMARKS))
    if unknown:
        raise BenchmarkError(
            f"{unknown[0]}: no such benchmark; expected some of {', '.join(BENCHMARKS)}"
        )
    chosen = [entry for name, entry in BENCHMARKS.items() if name in (only or _USUAL)]
    if settings.peers:
        for entry in chosen:
            require(*entry.packages)
    return (entry.compare(settings) for entry in chosen)
