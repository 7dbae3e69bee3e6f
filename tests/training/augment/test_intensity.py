import jax
import jax.numpy as jnp
import numpy as np
import pytest

from liverjax.training.augment.intensity import (
    GAMMA_HIGH_HU,
    GAMMA_LOW_HU,
    SOFT_TISSUE_HU,
    alter,
)
from tests.training.augment.examples import SIDE, augmented, only, slices

COUNT = 128


def changed(**strengths):
    """What became of COUNT slices, and what they were: [COUNT, SIDE * SIDE] both."""
    image = jnp.linspace(-1000.0, 1500.0, SIDE * SIDE).reshape(1, SIDE, SIDE, 1).repeat(COUNT, 0)
    moved, _ = augmented(only(**strengths), image, slices(COUNT)[1])
    return moved.reshape(COUNT, -1), np.asarray(image).reshape(COUNT, -1)


def test_brightness_adds_the_same_everywhere_within_its_range():
    after, before = changed(brightness=30.0)
    # Off the ends, where the values would leave the range of CT.
    added = (after - before)[:, 50:]
    assert np.ptp(added, axis=1).max() < 1e-3
    assert 28 < np.abs(added).max() <= 30.001
    assert added[:, 0].std() == pytest.approx(30 / np.sqrt(3), rel=0.2)


def test_contrast_turns_around_soft_tissue_within_its_range():
    after, before = changed(contrast=0.3)
    distant = np.abs(before - SOFT_TISSUE_HU) > 100
    inside = distant & (before > -600)
    factor = (after - SOFT_TISSUE_HU)[inside] / (before - SOFT_TISSUE_HU)[inside]
    assert 0.7 - 1e-3 <= factor.min() < 0.72
    assert 1.28 < factor.max() <= 1.3 + 1e-3
    np.testing.assert_allclose(after[~distant], before[~distant], atol=0.3 * 101)  # the pivot stays


@pytest.mark.parametrize("inverted", [0.0, 1.0])
def test_gamma_bends_soft_tissue_alone_by_powers_within_its_range(inverted):
    after, before = changed(gamma=0.5, gamma_inverted=inverted)
    soft = (before > GAMMA_LOW_HU) & (before < GAMMA_HIGH_HU)
    np.testing.assert_array_equal(after[~soft], before[~soft])
    assert (np.diff(after, axis=1) > 0).all()
    width = GAMMA_HIGH_HU - GAMMA_LOW_HU
    middle = np.abs(before[0] - 100).argmin()
    share, bent = ((x[:, middle] - GAMMA_LOW_HU) / width for x in (before, after))
    if inverted:
        share, bent = 1 - share, 1 - bent
    powers = np.log(bent) / np.log(share)
    assert 1 / 1.5 - 1e-3 <= powers.min() < 0.7
    assert 1.45 < powers.max() <= 1.5 + 1e-3
    assert abs(np.log(powers).mean()) < 0.1


def test_noise_is_normal_with_a_deviation_up_to_its_range():
    image, masks = slices(COUNT)
    grain = augmented(only(noise=20.0), image, masks)[0] - np.asarray(image)
    deviation = grain.std(axis=(1, 2, 3))
    assert deviation.max() < 21.5
    assert deviation.min() < 1
    assert deviation.mean() == pytest.approx(10, rel=0.2)
    standard = grain / deviation[:, None, None, None]
    assert abs(standard.mean()) < 0.01
    assert (standard**4).mean() == pytest.approx(3, abs=0.1)


def test_low_resolution_draws_sides_within_its_range():
    config = only(low_resolution=0.5)
    spike = jnp.zeros((SIDE, SIDE, 1)).at[::2, :].set(100.0)
    keys = jax.random.split(jax.random.key(0), COUNT)
    coarse = np.asarray(jax.jit(jax.vmap(lambda key: alter(config, key, spike)))(keys))
    kept = {round(float(value), 2) for value in coarse.std(axis=(1, 2, 3))}
    # Half of 32 to 32 pixels are 17 ways; on every second line each shows by its contrast.
    assert len(kept) >= 10
    assert max(kept) <= 50


def test_blur_never_sharpens():
    image = jnp.asarray(np.random.default_rng(0).normal(0, 100, (COUNT, SIDE, SIDE, 1)))
    smooth, _ = augmented(only(blur=1.5), image.astype(jnp.float32), slices(COUNT)[1])
    ratio = smooth.std(axis=(1, 2, 3)) / np.asarray(image).std(axis=(1, 2, 3))
    assert ratio.max() <= 1 + 1e-6
    assert ratio.min() < 0.25
