import jax.numpy as jnp
import numpy as np
import pytest

from liverjax.training.augment.phase import KNOTS_HU
from tests.training.augment.examples import SIDE, augmented, only, slices

COUNT, STRENGTH = 128, 0.7


@pytest.fixture(scope="module")
def curves():
    """What became of 1024 rising values in COUNT draws, and what they were."""
    before = np.linspace(-400.0, 700.0, SIDE * SIDE, dtype=np.float32)
    image = jnp.asarray(before.reshape(1, SIDE, SIDE, 1)).repeat(COUNT, 0)
    after, masks = augmented(only(phase=STRENGTH), image, slices(COUNT)[1])
    np.testing.assert_array_equal(masks, slices(COUNT)[1])
    return before, after.reshape(COUNT, -1)


def test_the_curve_rises_without_a_jump_and_ends_where_soft_tissue_does(curves):
    before, after = curves
    steps = np.diff(after, axis=1) / np.diff(before)
    # All slopes are scaled by one factor, which lies in the same range.
    assert np.exp(-2 * STRENGTH) - 0.01 < steps.min()
    assert steps.max() < np.exp(2 * STRENGTH) + 0.01
    outside = (before <= KNOTS_HU[0]) | (before >= KNOTS_HU[-1])
    np.testing.assert_array_equal(after[:, outside], before[outside][None].repeat(COUNT, 0))


def test_slopes_between_knots_are_log_uniform_and_independent(curves):
    before, after = curves
    at_knots = np.stack([np.interp(KNOTS_HU, before, each) for each in after])
    logs = np.log(np.diff(at_knots, axis=1) / np.diff(KNOTS_HU))
    # Differences know nothing of the common factor; each is of two uniform numbers.
    differences = logs - logs[:, :1]
    assert 1.6 * STRENGTH < np.abs(differences).max() < 2 * STRENGTH + 0.05
    expected = STRENGTH * np.sqrt(2 / 3)
    assert differences[:, 1:].std() == pytest.approx(expected, rel=0.15)
    assert abs(differences.mean()) < 0.15


def test_contrasts_of_organs_change_against_each_other(curves):
    before, after = curves
    fluid, liver, spleen, vessel = (
        after[:, np.abs(before - hu).argmin()] for hu in (10, 60, 110, 160)
    )
    ratio = (spleen - liver) / (vessel - fluid)
    # A third before.
    assert ratio.min() < 0.26
    assert ratio.max() > 0.41
