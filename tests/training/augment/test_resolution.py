import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from liverjax.training.augment.resolution import blur, coarsen


@pytest.fixture
def image(rng):
    return jnp.asarray(rng.normal(0, 300, (24, 24, 2)), jnp.float32)


@pytest.mark.parametrize("sigma", [0.4, 1.0, 1.5])
def test_blur_is_a_gaussian(image, sigma):
    smooth = jax.jit(blur, static_argnums=2)(image, sigma, 1.5)
    # The kernel ends at 5 pixels: three standard deviations of the widest.
    wanted = ndimage.gaussian_filter(image, sigma, axes=(0, 1), mode="nearest", radius=5)
    np.testing.assert_allclose(smooth, wanted, atol=0.01)


def test_no_blur_and_no_loss_of_resolution_change_no_bit(image):
    np.testing.assert_array_equal(jax.jit(blur, static_argnums=2)(image, 0.0, 1.5), image)
    np.testing.assert_array_equal(jax.jit(coarsen)(image, 24), image)


@pytest.mark.parametrize("side", [8, 12, 17, 23])
def test_coarse_sampling_takes_the_nearest_pixels_and_fills_up_linearly(image, side):
    nearest = np.floor((np.arange(side) + 0.5) * 24 / side).astype(int)
    place = (np.arange(24) + 0.5) * side / 24 - 0.5
    rows, columns = np.meshgrid(place, place, indexing="ij")
    coarse = jax.jit(coarsen)(image, side)
    for given, found in zip(np.moveaxis(image, -1, 0), np.moveaxis(coarse, -1, 0), strict=True):
        kept = given[np.ix_(nearest, nearest)]
        wanted = ndimage.map_coordinates(kept, [rows, columns], float, 1, mode="nearest")
        np.testing.assert_allclose(found, wanted, atol=0.01)


def test_one_pixel_left_makes_a_slice_flat(image):
    np.testing.assert_allclose(coarsen(image, 1), image[12:13, 12:13].repeat(24, 0).repeat(24, 1))
