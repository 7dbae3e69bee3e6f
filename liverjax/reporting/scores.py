"""Pictures of scores: Dice per case, volumes that agree or not, lesions found by their size."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from liverjax.evaluation.aggregate import IOU_LIMITS, is_detected
from liverjax.evaluation.case import CaseScore, Lesion, StructureScore
from liverjax.reporting import drawing
from liverjax.wording import counted

_SIDES = (("liver", "liver", drawing.LIVER_COLOR), ("tumor", "tumour", drawing.TUMOR_COLOR))
_NAMED_CASES = 40  # with more, their names would overlap
_DIAMETERS = (("< 10 mm", 0.0), ("10 to 20 mm", 10.0), (">= 20 mm", 20.0))
_VOXELS = (("< 100 voxels", 0.0), ("100 to 999", 100.0), (">= 1000", 1000.0))
_LIMIT_COLORS = (drawing.TRAINING_COLOR, drawing.VALIDATION_COLOR)
_WIDTH = 7.2  # inches: as wide as a page's text
_DPI = 200


def save_dice(path: Path, cases: Sequence[CaseScore], notice: str = "") -> None:
    """Writes Dice per case, liver above tumour, whole or not at all.

    Cases whose reference is empty have a cross below the axis in place of a point, those in which
    the structure was not annotated have nothing, and the title says over how many the mean is.

    Args:
        path: file to write, in a folder that exists; its suffix decides the format.
        cases: at least one.
        notice: see `drawing.new_chart`.
    """
    figure = drawing.new_chart(_WIDTH, 5.0, _DPI, notice)
    for axes, (name, title, color) in zip(figure.subplots(2, 1, sharex=True), _SIDES, strict=True):
        scores = [case.structure(name) for case in cases]
        values = [None if score is None else score.dice for score in scores]
        defined = [value for value in values if value is not None]
        places = [place for place, value in enumerate(values) if value is not None]
        missing = [
            place for place, score in enumerate(scores) if score is not None and score.dice is None
        ]
        unknown = scores.count(None)
        axes.plot(places, defined, "o", color=color, markeredgecolor="0.2", markersize=5)
        axes.plot(missing, [-0.05] * len(missing), "x", color="0.5", markersize=5)
        text = f"{title}: {counted(len(defined), 'case')}"
        if defined:
            mean = float(np.mean(defined))
            axes.axhline(mean, color="0.3", linestyle="dashed", linewidth=1)
            text += f", mean {mean:.3f}"
        if missing:
            text += f"; {len(missing)} without {title} (x)"
        if unknown:
            text += f"; {unknown} not annotated"
        _finish(axes, text, "", "Dice")
        axes.set_ylim(-0.1, 1.05)
    axes.set_xlim(-0.7, len(cases) - 0.3)
    if len(cases) <= _NAMED_CASES:
        names = [drawing.literal(case.case) for case in cases]
        axes.set_xticks(range(len(cases)), names, rotation=90, fontsize=drawing.FONT_SIZE - 1)
    else:
        axes.set_xlabel(f"{len(cases)} cases, in the order of the table", fontsize=8)
    drawing.save_figure(path, figure)


def save_bland_altman(path: Path, cases: Sequence[CaseScore], notice: str = "") -> None:
    """Writes volume differences over mean volumes (Bland & Altman 1986), whole or not at all.

    Lines are the bias and the limits of agreement, 1.96 standard deviations beside it. Cases of
    unknown voxel size, and those without the structure on both sides, are not drawn, and the
    title says how many are.

    Args:
        path: file to write, in a folder that exists; its suffix decides the format.
        cases: at least one.
        notice: see `drawing.new_chart`.
    """
    figure = drawing.new_chart(_WIDTH, 3.2, _DPI, notice)
    for axes, (name, title, color) in zip(figure.subplots(1, 2), _SIDES, strict=True):
        pairs = [_volumes(case.structure(name), case.voxel_ml) for case in cases]
        known = np.array([pair for pair in pairs if pair is not None]).reshape(-1, 2)
        differences = known[:, 0] - known[:, 1]
        axes.plot(known.mean(axis=1), differences, "o", color=color, markeredgecolor="0.2")
        if len(known):
            _draw_limits(axes, differences)
        _finish(
            axes,
            f"{title}: {len(known)} of {counted(len(cases), 'case')}",
            "mean of prediction and reference (mL)",
            "prediction less reference (mL)",
        )
    drawing.save_figure(path, figure)


def save_detection(path: Path, cases: Sequence[CaseScore], notice: str = "") -> None:
    """Writes the share of reference lesions found, by size, whole or not at all.

    Sizes are diameters of spheres of the lesion's volume. Lesions of unknown voxel size stand
    apart, or are sorted by their voxels where no size is known.

    Args:
        path: file to write, in a folder that exists; its suffix decides the format.
        cases: at least one.
        notice: see `drawing.new_chart`.
    """
    lesions = [each for case in cases for each in case.lesions if each.reference_voxels]
    figure = drawing.new_chart(4.6, 3.2, _DPI, notice)
    axes = figure.subplots()
    classes = by_size(lesions)
    for side, limit in enumerate(IOU_LIMITS):
        for place, (_, members) in enumerate(classes):
            found = sum(is_detected(lesion, limit) for lesion in members)
            share = found / len(members) if members else 0.0
            x = place + 0.4 * (side - 0.5)
            label = f"IoU > {limit:g}" if place == 0 else None
            axes.bar(x, share, 0.36, color=_LIMIT_COLORS[side], label=label)
            axes.annotate(
                f"{found}/{len(members)}",
                (x, share),
                xytext=(0, 2),
                textcoords="offset points",
                ha="center",
                fontsize=drawing.FONT_SIZE - 1,
            )
    axes.set_xticks(range(len(classes)), [name for name, _ in classes])
    axes.set_ylim(0, 1.15)
    title = f"{counted(len(lesions), 'lesion')} of the reference, joined ones as one"
    _finish(axes, title, "", "share detected")
    axes.legend(fontsize=drawing.FONT_SIZE - 1, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    drawing.save_figure(path, figure)


def by_size(lesions: Sequence[Lesion]) -> list[tuple[str, list[Lesion]]]:
    """Reference lesions in three classes of diameter, and in a fourth those without one.

    Where none has a diameter, the three classes are of voxels.
    """
    sized = [each for each in lesions if each.reference_diameter_mm is not None]
    if lesions and not sized:
        return _classes(lesions, [float(each.reference_voxels) for each in lesions], _VOXELS)
    groups = _classes(sized, [each.reference_diameter_mm or 0.0 for each in sized], _DIAMETERS)
    unknown = [each for each in lesions if each.reference_diameter_mm is None]
    return [*groups, ("size unknown", unknown)] if unknown else groups


def _classes(
    lesions: Sequence[Lesion], sizes: Sequence[float], classes: Sequence[tuple[str, float]]
) -> list[tuple[str, list[Lesion]]]:
    groups: list[tuple[str, list[Lesion]]] = [(name, []) for name, _ in classes]
    for lesion, size in zip(lesions, sizes, strict=True):
        place = sum(size >= lower for _, lower in classes) - 1
        groups[place][1].append(lesion)
    return groups


def _volumes(score: StructureScore | None, voxel_ml: float | None) -> tuple[float, float] | None:
    """Predicted and reference mL; None where not known, or both are 0."""
    if score is None or voxel_ml is None:
        return None
    found = score.confusion
    if not (found.predicted or found.reference):
        return None
    return found.predicted * voxel_ml, found.reference * voxel_ml


def _draw_limits(axes: Axes, differences: np.ndarray) -> None:
    bias = float(differences.mean())
    lines = [(bias, "solid", f"bias {_ml(bias)} mL")]
    if len(differences) > 1:
        reach = 1.96 * float(differences.std(ddof=1))
        lines += [
            (bias + reach, "dashed", f"limits {_ml(bias - reach)} to {_ml(bias + reach)} mL"),
            (bias - reach, "dashed", ""),
        ]
    for height, style, label in lines:
        axes.axhline(height, color="0.3", linestyle=style, linewidth=1, label=label or None)
    axes.legend(fontsize=drawing.FONT_SIZE - 2)


def _ml(value: float) -> str:
    """Two decimals, as small tumours ask for; never a negative zero."""
    return f"{round(value, 2) + 0.0:.2f}"


def _finish(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, fontsize=drawing.FONT_SIZE)
    axes.set_xlabel(x, fontsize=drawing.FONT_SIZE)
    axes.set_ylabel(y, fontsize=drawing.FONT_SIZE)
    axes.tick_params(labelsize=drawing.FONT_SIZE - 1)
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
