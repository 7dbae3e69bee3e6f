import json
import logging

import numpy as np
import pytest

from liverjax.choices import Recipe
from liverjax.errors import CheckpointError
from liverjax.inference.calibration import (
    FILE_NAME,
    Calibration,
    find_calibration,
    read_calibration,
    write_calibration,
)
from liverjax.inference.postprocess import Postprocess, find_liver, find_tumor

CHOSEN = Postprocess(threshold=0.35, min_voxels=10, min_ml=0.1, flips=True)
CALIBRATION = Calibration("4" * 64, CHOSEN, ("patient06",), 0.91, 0.9, "3" * 64)


def test_what_was_chosen_comes_back(tmp_path):
    assert read_calibration(tmp_path) is None
    assert find_calibration(tmp_path, "4" * 64) is None
    write_calibration(tmp_path, CALIBRATION)
    assert read_calibration(tmp_path) == CALIBRATION
    assert find_calibration(tmp_path, "4" * 64) == CALIBRATION


def test_what_was_chosen_for_another_checkpoint_is_not_used_and_the_log_says_so(tmp_path, caplog):
    write_calibration(tmp_path, CALIBRATION)
    with caplog.at_level(logging.WARNING, "liverjax"):
        assert find_calibration(tmp_path, "5" * 64) is None
    assert "chosen for another checkpoint" in caplog.text


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": 1.0},
        {"threshold": "high"},
        {"min_ml": -1.0},
        {"min_voxels": -1},
        {"min_liver_ml": -1.0},
        {"min_liver_ml": float("nan")},
        {"min_certain": 1.5},
        {"min_certain": -0.1},
        {"min_certain": float("nan")},
        {"unknown": 1},
    ],
)
def test_an_impossible_value_is_refused_by_file(tmp_path, change):
    write_calibration(tmp_path, CALIBRATION)
    stored = json.loads((tmp_path / FILE_NAME).read_text())
    stored["chosen"] |= change
    (tmp_path / FILE_NAME).write_text(json.dumps(stored))
    with pytest.raises(CheckpointError, match=r"postprocess\.json: damaged"):
        find_calibration(tmp_path, "4" * 64)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"checkpoint": "a"}'])
def test_a_damaged_file_is_refused(tmp_path, text):
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(CheckpointError, match=r"postprocess\.json: damaged"):
        find_calibration(tmp_path, "4" * 64)


@pytest.mark.parametrize(
    ("chosen", "voxel_ml", "expected"),
    [
        (Postprocess(), 0.001, 10),
        (Postprocess(min_ml=0.1), 0.001, 100),
        (Postprocess(min_ml=0.1), None, 10),
        (Postprocess(min_ml=0.001), 0.001, 10),
        # 0.3 / 0.1 is a little more than 3 in floating point.
        (Postprocess(min_voxels=0, min_ml=0.3), 0.1, 3),
    ],
)
def test_the_smallest_tumour_is_that_of_both_limits(chosen, voxel_ml, expected):
    assert chosen.smallest(voxel_ml) == expected


@pytest.mark.parametrize(
    ("min_liver_ml", "voxel_ml", "found"),
    [
        (16.0, 1.0, True),  # of exactly this volume it is one
        (16.1, 1.0, False),
        (20.0, 1.0, False),
        (20.0, 2.0, True),
        (0.0, 0.001, True),
        # 16 of 16,001 voxels are less than a thousandth of them.
        (20.0, None, False),
        (0.0, None, True),
    ],
)
def test_what_is_too_small_for_a_liver_is_none(min_liver_ml, voxel_ml, found):
    probability = np.zeros((1, 1, 16_001))
    probability[..., 8:24] = 0.999
    chosen = Postprocess(min_liver_ml=min_liver_ml)
    liver = find_liver(Recipe.WINDOW, probability, chosen, voxel_ml)
    assert np.count_nonzero(liver) == (16 if found else 0)
    assert find_liver(Recipe.WINDOW, probability[..., :16_000], chosen, None).any()
    assert find_liver(Recipe.THESIS, probability, chosen, voxel_ml).any()


@pytest.mark.parametrize(
    ("certain", "min_certain", "found"),
    [(0, 0.05, False), (0, 0.0, True), (4, 0.05, False), (5, 0.05, True), (5, 0.06, False)],
)
def test_a_small_liver_that_the_network_is_not_certain_of_is_none(certain, min_certain, found):
    probability = np.zeros((1, 1, 1000))
    probability[..., :100] = 0.98
    probability[..., 40 : 40 + certain] = 0.99
    probability[..., 500:550] = 0.999  # smaller: dropped, however certain
    chosen = Postprocess(min_certain=min_certain)
    liver = find_liver(Recipe.WINDOW, probability, chosen, 1.0)
    assert np.count_nonzero(liver) == (100 if found else 0)
    # From ten times the smallest liver on, certainty is not asked for.
    assert np.count_nonzero(find_liver(Recipe.WINDOW, probability, chosen, 2.0)) == 100
    # Without a voxel size, that is a hundredth of the voxels.
    wide = np.zeros((1, 10, 1001))
    wide[0, 0, :1000] = probability[0]
    assert find_liver(Recipe.WINDOW, wide, chosen, None).any() == found
    assert find_liver(Recipe.WINDOW, wide[..., :1000], chosen, None).any()
    # Nor is it asked for where nothing is too small.
    anything = Postprocess(min_certain=min_certain, min_liver_ml=0.0)
    assert find_liver(Recipe.WINDOW, wide, anything, None).any()


def test_masks_follow_what_was_chosen():
    probability = np.zeros((1, 8, 8))
    probability[0, :4, :4] = 0.4
    probability[0, 6:, 6:] = 0.4
    everywhere = np.ones(probability.shape, bool)
    low = Postprocess(threshold=0.3, min_voxels=0)
    assert np.count_nonzero(find_liver(Recipe.WINDOW, probability, low, None)) == 16
    assert not find_liver(Recipe.WINDOW, probability, Postprocess(), None).any()
    found = [
        np.count_nonzero(find_tumor(Recipe.WINDOW, probability, everywhere, chosen, 0.01))
        for chosen in (low, Postprocess(threshold=0.3, min_voxels=0, min_ml=0.05), Postprocess())
    ]
    assert found == [20, 16, 0]
    # The thesis has its threshold fixed.
    assert not find_liver(Recipe.THESIS, probability, low, None).any()
    assert not find_tumor(Recipe.THESIS, probability, everywhere, low, 0.01).any()
