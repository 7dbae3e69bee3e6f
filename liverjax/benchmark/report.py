"""Comparisons as a table for the screen and as JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from liverjax.benchmark.comparison import Comparison
from liverjax.benchmark.timing import Spread, Timing, rates
from liverjax.io.atomic import replacing


def format_comparison(comparison: Comparison) -> str:
    """A table: one line per contender with its rate, then the ratio to the best peer."""
    rows: list[tuple[str, ...]] = [
        ("", comparison.unit, "quartiles", "turns", "warm-up s", "difference")
    ]
    rows += [_row(comparison, timing) for timing in comparison.timings]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [comparison.benchmark]
    for row in rows:
        first, *others = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join(["", row[0].ljust(len(first)), *others]).rstrip())
    for peer, ratio in comparison.ratios.items():
        lower = ", which computes at lower precision" if peer in comparison.lower_precision else ""
        lines.append(
            f"  {ratio.median:.2f} times the speed of {peer}{lower} (median of paired turns; "
            f"quartiles {ratio.lower:.2f} to {ratio.upper:.2f}, all from {ratio.least:.2f} to "
            f"{ratio.most:.2f})"
        )
    lines += [f"  {name}: {_plain(value)}" for name, value in comparison.facts.items()]
    return "\n".join(lines)


def to_json(comparisons: Sequence[Comparison], machine: Mapping[str, Any]) -> dict[str, Any]:
    """JSON-ready: the machine, and every comparison with all its turns."""
    return {
        "machine": dict(machine),
        "benchmarks": {comparison.benchmark: _entry(comparison) for comparison in comparisons},
    }


def write_json(path: Path, comparisons: Sequence[Comparison], machine: Mapping[str, Any]) -> None:
    """Writes `to_json` to a file, whole or not at all."""
    text = json.dumps(to_json(comparisons, machine), indent=2, allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def _row(comparison: Comparison, timing: Timing) -> tuple[str, ...]:
    rate = rates(timing, comparison.items)
    difference = comparison.agreement.get(timing.name)
    return (
        timing.name,
        f"{rate.median:.4g}",
        f"{rate.lower:.4g} - {rate.upper:.4g}",
        str(len(timing.seconds)),
        f"{timing.warmup_s:.1f}",
        "" if difference is None else f"{difference:.2g}",
    )


def _plain(value: Any) -> str:
    """A fact as text; floats to four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _entry(comparison: Comparison) -> dict[str, Any]:
    return {
        "unit": comparison.unit,
        "items_per_call": comparison.items,
        "contenders": {
            timing.name: {
                **_spread(rates(timing, comparison.items)),
                "warmup_s": timing.warmup_s,
                "turn_s": list(timing.seconds),
                "calls_per_turn": timing.calls,
            }
            for timing in comparison.timings
        },
        "ratios_to_best_peers": {peer: _spread(ratio) for peer, ratio in comparison.ratios.items()},
        "peers_at_lower_precision": sorted(comparison.lower_precision),
        "difference_from_ours": dict(comparison.agreement),
        "facts": dict(comparison.facts),
    }


def _spread(values: Spread) -> dict[str, float]:
    return dict(values._asdict())
