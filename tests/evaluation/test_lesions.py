import numpy as np
import pytest

from liverjax.evaluation.lesions import detection, match_lesions


def row(*ranges, length=40):
    """Boolean [1, 1, length], true in ranges of voxels."""
    mask = np.zeros((1, 1, length), bool)
    for start, stop in ranges:
        mask[..., start:stop] = True
    return mask


def match(prediction, reference):
    """(pieces true, found, voxels true, found, shared) of each lesion."""
    return [
        (
            lesion.reference_components,
            lesion.predicted_components,
            lesion.reference_voxels,
            lesion.predicted_voxels,
            lesion.shared_voxels,
        )
        for lesion in match_lesions(prediction, reference, None)
    ]


def test_lesions_are_counted_from_the_largest_and_false_ones_last():
    prediction = row((0, 3), (10, 14), (20, 21), (30, 32))
    reference = row((1, 3), (11, 16), (25, 28))
    assert match(prediction, reference) == [
        (1, 1, 5, 4, 3),
        (1, 0, 3, 0, 0),
        (1, 1, 2, 3, 2),
        (0, 1, 0, 2, 0),
        (0, 1, 0, 1, 0),
    ]


def test_one_prediction_joins_lesions():
    assert match(row((0, 9)), row((0, 3), (5, 9))) == [(2, 1, 7, 9, 7)]


def test_several_predictions_of_a_lesion_are_one():
    assert match(row((0, 3), (5, 10)), row((1, 9))) == [(1, 2, 8, 8, 6)]


def test_a_lesion_is_joined_only_by_the_prediction_that_shares_most_with_it():
    # Both predictions touch the middle lesion; the second one shares more of it.
    prediction, reference = row((0, 8), (9, 20)), row((0, 4), (6, 12), (14, 20))
    assert match(prediction, reference) == [(2, 1, 12, 11, 9), (1, 1, 4, 8, 4)]


def test_of_equals_the_first_joins():
    # The middle lesion shares 2 voxels with either prediction.
    prediction, reference = row((0, 8), (9, 20)), row((0, 4), (6, 11), (14, 20))
    assert match(prediction, reference) == [(2, 1, 9, 8, 6), (1, 1, 6, 11, 6)]


def test_of_equals_the_first_is_assigned():
    # The middle prediction shares 2 voxels with either lesion, of which larger ones are joined.
    prediction = row((0, 4), (8, 14), (18, 24))
    reference = row((0, 10), (12, 24))
    assert match(prediction, reference) == [(1, 1, 12, 6, 6), (1, 2, 10, 10, 6)]


def test_a_lesion_touched_by_what_belongs_to_another_is_missed():
    # The second prediction shares 3 voxels with the first lesion, to which it is assigned, and 2
    # with the second lesion, which nothing else touches.
    prediction, reference = row((0, 5), (7, 14)), row((0, 10), (12, 14))
    assert match(prediction, reference) == [(1, 2, 10, 12, 8), (1, 0, 2, 0, 0)]


def test_edges_and_corners_do_not_connect():
    mask = np.zeros((2, 2, 2), bool)
    mask[0, 0, 0] = mask[0, 1, 1] = mask[1, 0, 1] = mask[1, 1, 0] = True
    assert match(mask, mask) == [(1, 1, 1, 1, 1)] * 4


def test_more_lesions_than_a_byte_counts():
    grid = np.zeros((1, 80, 80), bool)
    grid[:, ::2, ::2] = True
    assert match(grid, grid) == [(1, 1, 1, 1, 1)] * 1600
    assert match(grid, np.zeros_like(grid)) == [(0, 1, 0, 1, 0)] * 1600
    assert match(np.ones_like(grid), grid) == [(1600, 1, 1600, 6400, 1600)]


def test_nothing_has_no_lesions():
    assert match(row(), row()) == []
    assert match(row(), row((3, 5))) == [(1, 0, 2, 0, 0)]
    assert match(row((3, 5)), row()) == [(0, 1, 0, 2, 0)]


def test_volume_and_diameter():
    found, false = match_lesions(row((0, 4), (8, 9)), row((2, 8)), 0.25)[:2]
    assert (found.reference_ml, found.predicted_ml) == pytest.approx((1.5, 1.0))
    assert found.reference_diameter_mm == pytest.approx(2 * (1500 * 3 / 4 / np.pi) ** (1 / 3))
    assert (false.predicted_ml, false.reference_diameter_mm) == (0.25, None)


def test_detection_asks_for_more_than_the_least_overlap():
    # Shares of the union: 5 of 10, 3 of 3, none; and a false positive.
    prediction, reference = row((0, 5), (12, 15), (30, 31)), row((0, 10), (12, 15), (20, 22))
    lesions = match_lesions(prediction, reference, None)
    assert detection(lesions, 0.0) == (2, 1, 1)
    assert detection(lesions, 0.499) == (2, 1, 1)
    assert detection(lesions, 0.5) == (1, 2, 2)
    assert detection(lesions, 1.0) == (0, 3, 3)
    assert detection([], 0.5) == (0, 0, 0)
