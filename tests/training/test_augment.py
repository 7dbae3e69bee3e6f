from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from liverjax.config import AugmentConfig
from liverjax.training.augment import SOFT_TISSUE_HU, build_augment

NOTHING = {
    "rotation": 0,
    "zoom": 0,
    "shift": 0,
    "brightness": 0,
    "contrast": 0,
    "noise": 0,
    "flip": False,
}


@pytest.fixture
def grid():
    image = np.full((4, 32, 32, 1), SOFT_TISSUE_HU, np.float32)
    target = np.zeros_like(image)
    target[:, 8:20, 6:14] = 1
    image[target > 0] = 150
    return Labelled(jnp.asarray(image), jnp.ones_like(image), jnp.asarray(target))


class Labelled(NamedTuple):
    """A grid and its target, as one tree."""

    image: jax.Array
    region: jax.Array
    target: jax.Array


def apply(example, key=0, **ranges):
    augment = build_augment(AugmentConfig(**(NOTHING | ranges)))
    masks = jnp.concatenate([example.region, example.target], axis=-1).astype(jnp.uint8)
    image, masks = augment(jax.random.key(key), example.image, masks)
    return Labelled(image, masks[..., :1], masks[..., 1:])


def test_no_range_means_no_change(grid):
    same = apply(grid)
    for before, after in zip(jax.tree.leaves(grid), jax.tree.leaves(same), strict=True):
        np.testing.assert_allclose(before, after, atol=1e-4)


def test_the_same_key_draws_the_same(grid):
    first, second, other = (apply(grid, key, rotation=20, noise=10) for key in (1, 1, 2))
    np.testing.assert_array_equal(first.image, second.image)
    assert np.abs(np.asarray(first.image - other.image)).max() > 1


@pytest.mark.parametrize("name", ["rotation", "zoom", "shift"])
def test_image_and_target_move_together_and_slices_differently(grid, name):
    ranges = {"rotation": 40.0, "zoom": 0.4, "shift": 0.2}
    moved = apply(grid, **{name: ranges[name]})
    bright = (np.asarray(moved.image) > 100).astype(np.float32)
    target = np.asarray(moved.target)
    overlap = 2 * (bright * target).sum() / (bright.sum() + target.sum())
    assert overlap > 0.95
    assert len({slice_.tobytes() for slice_ in target}) == 4
    assert set(np.unique(target)) <= {0.0, 1.0}
    assert (target != np.asarray(grid.target)).any()


def test_flip_mirrors_left_and_right(grid):
    moved = np.asarray(apply(grid, flip=True).target)
    same = [np.array_equal(a, b) for a, b in zip(moved, np.asarray(grid.target), strict=True)]
    mirrored = [
        np.array_equal(a[:, ::-1], b) for a, b in zip(moved, np.asarray(grid.target), strict=True)
    ]
    assert all(a != b for a, b in zip(same, mirrored, strict=True))


def test_brightness_shifts_and_contrast_turns_around_soft_tissue(grid):
    shifted = np.asarray(apply(grid, brightness=30).image - grid.image)
    assert np.ptp(shifted, axis=(1, 2, 3)).max() < 1e-3
    assert 0 < np.abs(shifted).max() <= 30
    stretched = np.asarray(apply(grid, contrast=0.3).image)
    np.testing.assert_allclose(stretched[np.asarray(grid.target) == 0], SOFT_TISSUE_HU, atol=1e-3)
    assert np.abs(stretched[np.asarray(grid.target) > 0] - 150).max() > 1


def test_noise_stays_below_its_range(grid):
    added = np.asarray(apply(grid, noise=10).image - grid.image)
    assert 0 < added.std() < 10.5
    np.testing.assert_array_equal(apply(grid, noise=10).target, grid.target)


def test_air_comes_in_from_outside(grid):
    moved = np.asarray(apply(grid, shift=0.4).image)
    assert moved.min() < -900
