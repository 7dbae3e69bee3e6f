import numpy as np
import pytest

from liverjax.errors import InputError
from liverjax.evaluation.confusion import Confusion
from liverjax.evaluation.overlap import PatientScore, dice, score_patient
from liverjax.volume import Geometry, Segmentation

GRID = Geometry.from_axes((0.0, 0.0, 0.0), (2.0, 0.5, 0.5))  # voxels of 0.5 mm3
UNKNOWN = Geometry.from_axes((0.0, 0.0, 0.0), None)


def sphere(center, radius=15.0):
    """Boolean [z, y, x] of a ball on a grid of 2 x 0.8 x 0.8 mm; the centre is in voxels."""
    z, y, x = np.ogrid[:30, :60, :60]
    squared = ((z - center[0]) * 2.0) ** 2 + ((y - center[1]) * 0.8) ** 2
    return squared + ((x - center[2]) * 0.8) ** 2 <= radius**2


def labels(liver, tumor):
    """Segmentation [1, 1, 10] from ranges of voxels."""
    array = np.zeros((1, 1, 10), np.uint8)
    array[..., slice(*liver)] = 1
    array[..., slice(*tumor)] = 2
    return array


def test_dice_as_the_lits_scorer_computes_it():
    found = dice(sphere((15, 30, 32)), sphere((15, 30, 30)))
    assert found == pytest.approx(0.9202, abs=5e-5)


@pytest.mark.parametrize(
    ("prediction", "reference", "expected"),
    [
        ([1, 1, 0, 0], [1, 1, 0, 0], 1.0),
        ([1, 1, 1, 0], [0, 1, 1, 1], 2 / 3),
        ([1, 1, 0, 0], [0, 0, 1, 1], 0.0),
        ([0, 0, 0, 0], [0, 1, 0, 0], 0.0),
        ([0, 1, 0, 0], [0, 0, 0, 0], None),
        ([0, 0, 0, 0], [0, 0, 0, 0], None),
    ],
)
def test_dice_cases(prediction, reference, expected):
    found = dice(np.array(prediction, bool), np.array(reference, bool))
    assert found == (None if expected is None else pytest.approx(expected))


def test_dice_refuses_other_shapes():
    with pytest.raises(InputError, match=r"\(2,\).*\(3,\)"):
        dice(np.ones(2, bool), np.ones(3, bool))


def test_score_counts_tumour_as_liver():
    prediction = Segmentation(labels((0, 8), (0, 4)), GRID)
    reference = Segmentation(labels((0, 8), (2, 5)), GRID)
    assert score_patient("patient04", prediction, reference) == PatientScore(
        patient="patient04",
        liver_dice=1.0,
        tumor_dice=pytest.approx(2 * 2 / (4 + 3)),
        tumor_false_positive_ml=pytest.approx(2 * 0.0005),
        liver_confusion=Confusion(2, 0, 0, 8),
        tumor_confusion=Confusion(5, 2, 1, 2),
    )


def test_tumour_in_a_healthy_liver_is_kept():
    prediction = Segmentation(labels((0, 8), (0, 4)), GRID)
    score = score_patient("patient05", prediction, Segmentation(labels((0, 8), (0, 0)), GRID))
    assert score.tumor_dice is None
    assert score.tumor_false_positive_ml == pytest.approx(4 * 0.0005)


def test_unknown_spacing_leaves_only_ratios():
    prediction = Segmentation(labels((0, 8), (0, 4)), UNKNOWN)
    score = score_patient("patient05", prediction, Segmentation(labels((0, 8), (0, 4)), UNKNOWN))
    assert (score.liver_dice, score.tumor_dice) == (1.0, 1.0)
    assert score.tumor_false_positive_ml is None


def test_score_refuses_another_grid():
    segmentation = Segmentation(labels((0, 8), (0, 4)), GRID)
    moved = Geometry.from_axes((0.0, 0.0, 5.0), (2.0, 0.5, 0.5))
    with pytest.raises(InputError, match="patient07"):
        score_patient("patient07", segmentation, Segmentation(segmentation.labels, moved))
    with pytest.raises(InputError, match="patient07"):
        score_patient("patient07", segmentation, Segmentation(segmentation.labels[..., :9], GRID))
