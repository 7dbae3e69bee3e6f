"""A prediction scored against its reference: every figure of a case from two label volumes."""

import math
from collections.abc import Callable, Iterator

import numpy as np

from liverjax.benchmark.comparison import OURS, Comparison, check_close
from liverjax.benchmark.settings import Settings
from liverjax.benchmark.timing import Contender, interleave
from liverjax.evaluation.case import CaseScore
from liverjax.evaluation.score import score_case
from liverjax.labels import merge_masks
from liverjax.volume import Geometry, Segmentation

NAME = "scoring"

# Half of what the scanner sees along (z, y, x), in mm: 1.6 x 0.74 x 0.74 mm at 130 x 512 x 512.
_HALF_MM = np.array([104.0, 189.0, 189.0])
_LIVER_MM = np.array([75.0, 105.0, 110.0])
_LESIONS = 20
_TOLERANCE = 1e-6

Scorer = Callable[[Segmentation, Segmentation], list[float]]


def compare_scoring(settings: Settings) -> Comparison:
    """Ours against MedPy, on a synthetic liver with 20 tumours.

    A unit of work is a case: ours finds every figure, with lesions and their volumes; MedPy finds
    Dice, ASSD and Hausdorff's distance of liver and tumours, one after the other as its users
    call them. These must be equal.

    Raises:
        BenchmarkError: MedPy is missing, or its figures differ.
    """
    pair = make_pair(settings)
    scorers: dict[str, Scorer] = {OURS: score_liverjax}
    if settings.peers:
        scorers["MedPy"] = score_medpy
    # MedPy takes too long to be run once more for its figures, so those of the last turn are kept.
    figures: dict[str, list[float]] = {}

    def contender(name: str, score: Scorer) -> Contender:
        """Keeps the figures of a scorer, to be compared with ours."""

        def run(calls: int) -> None:
            for _ in range(calls):
                figures[name] = score(*pair)

        return Contender(name, run)

    contenders = [contender(name, score) for name, score in scorers.items()]
    timings = interleave(contenders, settings.repeats, settings.calls)
    agreement = {
        name: check_close("Dice, ASSD and MSD", name, found, figures[OURS], _TOLERANCE)
        for name, found in figures.items()
        if name != OURS
    }
    shape = pair[0].labels.shape
    facts = {"data": f"liver with {_LESIONS} tumours, {shape}"}
    return Comparison(NAME, "slices/s", shape[0], tuple(timings), agreement, facts)


def make_pair(settings: Settings) -> tuple[Segmentation, Segmentation]:
    """Prediction and reference of `settings.slices` slices of twice the network's side.

    The anatomy is the same at any size. The prediction's surfaces lie up to some mm away from
    those of the reference; it misses two tumours and finds two that are not there.
    """
    shape = (settings.slices, 2 * settings.size, 2 * settings.size)
    spacing = tuple((2 * _HALF_MM / shape).tolist())
    geometry = Geometry.from_axes((0.0, 0.0, 0.0), spacing)
    rng = np.random.default_rng(settings.seed)
    # The first and the last two lesions are seen by one of the two alone.
    directions = rng.standard_normal((_LESIONS + 2, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    centers = 0.8 * _LIVER_MM * directions * rng.uniform(0, 1, (_LESIONS + 2, 1)) ** (1 / 3)
    radii = rng.uniform(5, 14, _LESIONS + 2)
    moved = centers + rng.normal(0, 1, centers.shape)
    reference = _labels(shape, 0.0, centers[:-2], radii[:-2])
    prediction = _labels(shape, 1.0, moved[2:], radii[2:] + rng.normal(0, 1, _LESIONS))
    return Segmentation(prediction, geometry), Segmentation(reference, geometry)


def score_liverjax(prediction: Segmentation, reference: Segmentation) -> list[float]:
    """Dice, ASSD and MSD of the liver and of the tumours, out of all figures of the case."""
    return list(_comparable(score_case("case", prediction, reference)))


def score_medpy(prediction: Segmentation, reference: Segmentation) -> list[float]:
    """The same by MedPy, told to take surfaces as LiTS does: 18 neighbours, its connectivity 2."""
    from medpy.metric import binary

    spacing = reference.geometry.spacing
    figures: list[float] = []
    for masks in (
        (prediction.liver, reference.liver),
        (prediction.tumor, reference.tumor),
    ):
        figures.append(binary.dc(*masks))
        figures.append(binary.assd(*masks, voxelspacing=spacing, connectivity=2))
        figures.append(binary.hd(*masks, voxelspacing=spacing, connectivity=2))
    return figures


def _comparable(score: CaseScore) -> Iterator[float]:
    """The figures that MedPy has, too; what is not defined is not a number."""
    structures = [each for each in (score.liver, score.tumor) if each is not None]
    for structure in structures:
        for figure in (structure.dice, structure.assd, structure.msd):
            yield math.nan if figure is None else figure


def _labels(
    shape: tuple[int, int, int], phase: float, centers: np.ndarray, radii: np.ndarray
) -> np.ndarray:
    """Labels uint8 [D, H, W] of a wavy liver with round tumours; centres and radii in mm."""
    sides = zip(_HALF_MM, shape, strict=True)
    axes = [np.linspace(-half, half, count) for half, count in sides]
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    waves = np.sin(z / 15 + phase / 2) + np.sin(y / 18 + x / 25) * np.cos(x / 9 + phase)
    squared = sum((grid / mm) ** 2 for grid, mm in zip((z, y, x), _LIVER_MM, strict=True))
    tumors = np.zeros(shape, bool)
    for (d, h, w), radius in zip(centers, radii, strict=True):
        tumors |= (z - d) ** 2 + (y - h) ** 2 + (x - w) ** 2 <= radius**2
    return merge_masks(squared <= 1 + 0.05 * waves, tumors)
