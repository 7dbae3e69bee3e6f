"""Where the time of a training step goes, by what its operations are."""

import collections
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import jax

from liverjax.benchmark.comparison import Comparison
from liverjax.benchmark.settings import Settings
from liverjax.benchmark.timing import interleave
from liverjax.benchmark.train_step import compiled_step, our_contender
from liverjax.benchmark.workload import network_problem

NAME = "profile"
# An instruction of a compiled program: its name and what it does.
_INSTRUCTION = re.compile(r"\s*(?:ROOT )?%?([\w.\-]+) = .*? ([\w\-]+)\(")
_ORIGIN = re.compile(r'op_name="([^"]*)"')
# These hold others, which are told of by themselves.
_HOLDERS = {"while", "conditional", "call"}
_KINDS = {
    "convolution": ("conv_general_dilated",),
    "matrix product": ("dot_general",),
    "copy, pad, concatenate, slice": (
        "concatenate",
        "pad",
        "slice",
        "dynamic_slice",
        "transpose",
        "copy",
        "reshape",
        "squeeze",
    ),
    "sum": ("reduce_sum",),
}


def compare_profile(settings: Settings) -> Comparison:
    """Our training step alone, and the milliseconds that its kinds of operations take.

    An operation counts as what it came from in JAX; where XLA fused several, as the last of them.
    The kinds add up to more than a step where operations run side by side.
    """
    problem = network_problem(settings)
    contender, _ = our_contender(problem)
    timings = interleave([contender], settings.repeats, settings.calls)
    kinds = _kinds_of(compiled_step(problem).as_text() or "")
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            contender.run(1)
        spent: dict[str, float] = collections.defaultdict(float)
        for operation, milliseconds in _events(Path(folder)):
            kind = kinds.get(operation, "other")
            if kind is not None:
                spent[kind] += milliseconds
    most_first = sorted(spent.items(), key=lambda item: -item[1])
    facts = {f"{kind}, ms per step": round(time, 1) for kind, time in most_first}
    return Comparison(NAME, "slices/s", settings.batch_size, tuple(timings), facts=facts)


def _events(folder: Path) -> Iterator[tuple[str, float]]:
    """Name and milliseconds of every operation that ran while the profile was taken."""
    for path in folder.rglob("*.xplane.pb"):
        for plane in jax.profiler.ProfileData.from_file(str(path)).planes:
            for line in plane.lines:
                for event in line.events:
                    operation = dict(event.stats).get("hlo_op")
                    if operation is not None:
                        yield str(operation), event.duration_ns / 1e6


def _kinds_of(program: str) -> Mapping[str, str | None]:
    """By name of an instruction of a compiled program its kind; None for what holds others."""
    kinds: dict[str, str | None] = {}
    for line in program.splitlines():
        found = _INSTRUCTION.match(line)
        if found:
            name, opcode = found[1], found[2]
            origin = _ORIGIN.search(line)
            last = origin[1].rsplit("/", 1)[-1] if origin else opcode
            kinds[name] = None if opcode in _HOLDERS else _kind(last)
    return kinds


def _kind(operation: str) -> str:
    for kind, operations in _KINDS.items():
        if operation in operations:
            return kind
    return "elementwise and other"
