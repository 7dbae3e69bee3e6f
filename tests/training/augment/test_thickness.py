import jax.numpy as jnp
import numpy as np
import pytest

from liverjax.training.augment.thickness import slice_weights
from tests.training.augment.examples import augmented, only, slices

COUNT = 128


def weights(count, factor):
    return np.asarray(slice_weights(count, jnp.float32(factor)))


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (1.0, np.eye(3)),
        (3.0, [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0, 0, 1]]),
        (2.0, [[1, 0, 0], [1 / 4, 1 / 2, 1 / 4], [0, 0, 1]]),
        (1.5, [[1, 0, 0], [1 / 6, 2 / 3, 1 / 6], [0, 0, 1]]),
        (0.5, [[1 / 2, 1 / 2, 0], [0, 1, 0], [0, 1 / 2, 1 / 2]]),
    ],
)
def test_slices_are_means_along_their_thickness(factor, expected):
    np.testing.assert_allclose(weights(3, factor), expected, atol=1e-6)


def test_thicker_slices_lie_further_apart_as_far_as_slices_reach():
    # On a ramp along z a slice shows where it lies; the outermost go on for ever.
    ramp = np.arange(-3.0, 4.0)
    np.testing.assert_allclose(weights(7, 0.8) @ ramp, 0.8 * ramp, atol=0.2)
    np.testing.assert_allclose((weights(7, 2.0) @ ramp)[2:5], [-2, 0, 2], atol=1e-5)
    assert (weights(7, 2.0) @ ramp)[[0, -1]].tolist() == [-3, 3]
    for factor in (0.5, 0.77, 1.0, 1.3, 3.0):
        np.testing.assert_allclose(weights(7, factor).sum(axis=1), 1, atol=1e-6)
        np.testing.assert_allclose(weights(7, factor), weights(7, factor)[::-1, ::-1], atol=1e-6)
    np.testing.assert_array_equal(weights(7, 1.0), np.eye(7))


def test_factors_go_from_half_to_three_times_and_the_mask_stays():
    image, masks = slices(COUNT, 3)
    image = image.at[..., 0].add(-300.0).at[..., 2].add(300.0).at[..., 1].add(600.0)
    after, after_masks = augmented(only(slice_thickness=2.0), image, masks)
    np.testing.assert_array_equal(after_masks, masks)
    change = (after - np.asarray(image))[:, 0, 0]
    # The middle gives (1 - 1 / factor) of itself to the others when it becomes thicker ...
    thicker = 1 / (1 + change[:, 1] / 600)
    assert thicker.min() == pytest.approx(1)
    assert 2.8 < thicker.max() <= 3.001
    # ... and where it stays, the factor is how little the others kept.
    thinner = 1 - change[:, 0] / (600 + 300)
    stays = np.abs(change[:, 1]) < 0.01
    assert stays.mean() == pytest.approx(np.log(2) / np.log(6), abs=0.13)
    assert 1 / (1 + 1) - 1e-3 <= thinner[stays].min() < 0.55


def test_noise_is_averaged_out_of_thick_slices():
    grain = np.random.default_rng(0).normal(0, 20, (64, 32, 32, 3)).astype(np.float32)
    after, _ = augmented(only(slice_thickness=2.0), jnp.asarray(grain), slices(64, 3)[1])
    deviation = after[..., 1].std(axis=(1, 2))
    assert 11 < deviation.min() < 13  # 20 / sqrt(3)
    assert deviation.max() == pytest.approx(20, rel=0.1)
