import numpy as np
import pytest

from liverjax.choices import Stage
from liverjax.errors import InputError
from liverjax.evaluation.threshold_baseline import threshold_baseline
from liverjax.labels import Label


def _case(liver_hu: int, tumor_hu: int, with_tumor: bool = True) -> tuple[np.ndarray, np.ndarray]:
    hu = np.full((6, 24, 24), -100, np.int16)
    labels = np.zeros(hu.shape, np.uint8)
    labels[1:5, 4:20, 4:20] = Label.LIVER
    if with_tumor:
        labels[2:4, 8:14, 8:14] = Label.TUMOR
    hu[labels == Label.LIVER] = liver_hu
    hu[labels == Label.TUMOR] = tumor_hu
    return hu, labels


def test_finds_the_threshold_that_separates():
    result = threshold_baseline([_case(100, 60), _case(105, 55)], Stage.LIVER)
    assert result.above
    assert -100 <= result.threshold < 55
    assert result.mean_dice == 1.0
    assert result.case_dice == (1.0, 1.0)


def test_tumours_are_found_below_or_above():
    dark = threshold_baseline([_case(100, 60)], Stage.TUMOR)
    bright = threshold_baseline([_case(100, 140)], Stage.TUMOR)
    assert (dark.above, dark.mean_dice) == (False, 1.0)
    assert 60 < dark.threshold <= 100
    assert (bright.above, bright.mean_dice) == (True, 1.0)
    assert 100 <= bright.threshold < 140


def test_keeps_the_largest_component_only():
    hu, labels = _case(100, 100, with_tumor=False)
    hu[:, :2, :2] = 100
    assert threshold_baseline([(hu, labels)], Stage.LIVER).mean_dice == 1.0


def test_tumours_are_sought_in_the_liver_only():
    hu, labels = _case(100, 60)
    hu[labels == Label.BACKGROUND] = 60
    assert threshold_baseline([(hu, labels)], Stage.TUMOR).mean_dice == 1.0


def test_one_threshold_serves_all_cases():
    result = threshold_baseline([_case(100, 60), _case(60, 100)], Stage.TUMOR)
    assert sorted(score for score in result.case_dice if score is not None)[0] < 0.5


def test_mean_is_over_cases_that_have_the_structure():
    cases = [_case(100, 60), _case(100, 60, with_tumor=False)]
    result = threshold_baseline(cases, Stage.TUMOR)
    assert result.case_dice == (1.0, None)
    assert result.mean_dice == 1.0


def test_a_case_without_liver_counts_for_neither():
    hu, labels = _case(100, 60)
    cases = [(hu, labels), (hu, np.zeros_like(labels))]
    for stage in Stage:
        assert threshold_baseline(cases, stage).case_dice[1] is None


def test_nothing_to_threshold_is_an_error():
    with pytest.raises(InputError, match="no case holds any tumor"):
        threshold_baseline([_case(100, 60, with_tumor=False)], Stage.TUMOR)
