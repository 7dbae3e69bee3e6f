import dataclasses

import numpy as np
import pytest

from liverjax.errors import InputError
from liverjax.evaluation.case import METRICS
from liverjax.evaluation.score import score_case
from liverjax.volume import Geometry, Segmentation
from tests.evaluation import plain_metrics

PAIRS = 200
GRID = Geometry.from_axes((0.0, 0.0, 0.0), (2.0, 0.5, 0.5))  # voxels of 0.5 mm3


def geometry(spacing):
    return Geometry.from_axes((0.0, 0.0, 0.0), spacing)


def boxes(rng, shape, count):
    """Corners of boxes [count, 2, 3], some reaching beyond the array."""
    start = rng.integers(-2, shape, (count, 3))
    return np.stack([start, start + rng.integers(1, 8, (count, 3))], axis=1)


def fill(shape, corners):
    mask = np.zeros(shape, bool)
    for start, stop in corners:
        mask[tuple(slice(max(a, 0), max(b, 0)) for a, b in zip(start, stop, strict=True))] = True
    return mask


def random_masks(rng, shape):
    """Prediction and reference: boxes that are moved, lost and added, or noise, or nothing."""
    kind = rng.integers(8)
    if kind == 0:
        return tuple(
            np.zeros(shape, bool) if empty else rng.random(shape) < 0.1
            for empty in ((True, True), (True, False), (False, True))[rng.integers(3)]
        )
    if kind == 1:
        noise = rng.random(shape) < 0.3
        return noise & (rng.random(shape) < 0.8), noise
    corners = boxes(rng, shape, rng.integers(1, 8))
    moved = corners + rng.integers(-2, 3, (len(corners), 2, 3))
    kept = moved[rng.random(len(moved)) < 0.8]
    added = boxes(rng, shape, rng.integers(0, 3))
    return fill(shape, [*kept, *added]), fill(shape, corners)


def random_pair(seed):
    """Prediction and reference on a small grid with unequal spacing, which is at times unknown."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, (13, 21, 21)).tolist())
    spacing = None if rng.random() < 0.1 else tuple(rng.uniform(0.5, 3, 3).tolist())
    liver, tumor = random_masks(rng, shape), random_masks(rng, shape)
    return [
        Segmentation(np.where(lesions, 2, organ).astype(np.uint8), geometry(spacing))
        for organ, lesions in zip(liver, tumor, strict=True)
    ]


def counts(lesion):
    return (
        lesion.reference_components,
        lesion.predicted_components,
        lesion.reference_voxels,
        lesion.predicted_voxels,
        lesion.shared_voxels,
    )


def without_none(figures):
    return {name: value for name, value in figures.items() if value is not None}


def test_every_figure_is_that_of_its_definition():
    seen = []
    for seed in range(PAIRS):
        prediction, reference = random_pair(seed)
        score = score_case(f"pair{seed}", prediction, reference)
        for name, masks in {
            "liver": (prediction.labels >= 1, reference.labels >= 1),
            "tumor": (prediction.labels == 2, reference.labels == 2),
        }.items():
            expected = plain_metrics.structure_figures(*masks, reference.geometry.spacing)
            assert list(expected) == list(METRICS)
            found = {metric: getattr(getattr(score, name), metric) for metric in METRICS}
            assert without_none(found) == pytest.approx(without_none(expected), abs=1e-6), seed
            assert {type(value) for value in found.values()} <= {float, type(None)}
        matched = plain_metrics.lesions(prediction.labels == 2, reference.labels == 2)
        assert sorted(map(counts, score.lesions)) == sorted(matched), seed
        seen.append(score)
    check_variety(seen)


def check_variety(scores):
    """That the random pairs hold what could go wrong."""
    tumors = [score.tumor for score in scores]
    both = {(tumor.confusion.reference > 0, tumor.confusion.predicted > 0) for tumor in tumors}
    assert len(both) == 4
    lesions = [lesion for score in scores for lesion in score.lesions]
    assert any(lesion.reference_components > 1 for lesion in lesions)
    assert any(lesion.predicted_components > 1 for lesion in lesions)
    assert any(lesion.reference_components == 0 for lesion in lesions)
    assert any(lesion.predicted_components == 0 for lesion in lesions)


def test_two_spheres_as_the_lits_scorer_measures_them():
    grids = np.ogrid[:60, :60, :30]

    def sphere(*center):
        steps = zip(grids, center, (0.8, 0.8, 2.0), strict=True)
        inside = sum(((grid - middle) * mm) ** 2 for grid, middle, mm in steps) <= 15**2
        return Segmentation(inside.astype(np.uint8), geometry((0.8, 0.8, 2.0)))

    score = score_case("spheres", sphere(32, 30, 15), sphere(30, 30, 15)).liver
    found = [score.dice, score.voe, score.rvd, score.assd, score.rmsd, score.msd]
    assert found == pytest.approx([0.9202, 0.1479, 0.0, 0.4833, 0.7459, 1.6], abs=5e-5)


def rows(*ranges):
    """Segmentation [1, 1, 10] with liver throughout and tumours in ranges of voxels."""
    labels = np.ones((1, 1, 10), np.uint8)
    for start, stop in ranges:
        labels[..., start:stop] = 2
    return Segmentation(labels, GRID)


@pytest.mark.parametrize(
    ("prediction", "reference", "expected"),
    [
        # dice, voe, rvd, assd to hd95, nsd2, volume error, false positive
        ([], [], [None, None, None, None, None, 0.0, 0.0]),
        ([(0, 4)], [], [None, None, None, None, None, 0.002, 0.002]),
        ([], [(0, 4)], [0.0, 1.0, -1.0, None, 0.0, -0.002, 0.0]),
        ([(0, 4)], [(0, 4)], [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]),
    ],
)
def test_empty_masks(prediction, reference, expected):
    tumor = score_case("case", rows(*prediction), rows(*reference)).tumor
    *overlap, distance, nsd, error, false = expected
    found = [getattr(tumor, metric) for metric in METRICS]
    assert found == pytest.approx([*overlap, *[distance] * 4, nsd, error, false])


def test_unknown_spacing_leaves_ratios_only():
    first, second = (
        Segmentation(segmentation.labels, geometry(None))
        for segmentation in (rows((0, 4)), rows((2, 6)))
    )
    score = score_case("case", first, second)
    known = {name for name in METRICS if getattr(score.tumor, name) is not None}
    assert known == {"dice", "voe", "rvd"}
    (lesion,) = score.lesions
    assert (lesion.reference_ml, lesion.predicted_ml, lesion.reference_diameter_mm) == (None,) * 3
    assert lesion.iou == pytest.approx(2 / 6)
    missed = score_case("case", Segmentation(first.labels * 0, geometry(None)), second)
    assert missed.tumor.nsd2 is None


def test_liver_holds_its_tumours_and_burden_is_their_share():
    score = score_case("case", rows((0, 4)), rows((2, 5)))
    assert score.liver.dice == 1.0
    assert score.tumor.dice == pytest.approx(2 * 2 / (4 + 3))
    assert (score.burden, score.predicted_burden) == (0.3, 0.4)
    nothing = Segmentation(np.zeros((1, 1, 10), np.uint8), GRID)
    assert score_case("case", nothing, rows()).predicted_burden is None


def test_too_large_a_prediction_has_a_positive_difference():
    tumor = score_case("case", rows((0, 6)), rows((0, 4))).tumor
    assert tumor.rvd == pytest.approx(0.5)
    assert tumor.volume_error_ml == pytest.approx(2 * 0.0005)


def test_layout_in_memory_does_not_matter():
    for seed in range(20):
        pair = random_pair(seed)
        turned = [dataclasses.replace(each, labels=np.asfortranarray(each.labels)) for each in pair]
        assert score_case("case", *pair) == score_case("case", *turned)


def test_another_grid_is_refused():
    moved = Segmentation(rows().labels, Geometry.from_axes((0.0, 0.0, 5.0), (2.0, 0.5, 0.5)))
    with pytest.raises(InputError, match="patient07: prediction and reference"):
        score_case("patient07", rows(), moved)
    with pytest.raises(InputError, match="patient07"):
        score_case("patient07", rows(), Segmentation(rows().labels[..., :9], GRID))
