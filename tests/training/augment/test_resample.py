import jax
import jax.numpy as jnp
import numpy as np
from scipy import ndimage

from liverjax.preprocess.window import AIR_HU
from liverjax.training.augment.resample import resample


def test_it_is_the_linear_interpolation_of_a_slice_surrounded_by_air(rng):
    image = rng.integers(-1024, 1500, (20, 20, 3)).astype(np.float32)
    masks = rng.integers(0, 2, (20, 20, 2)).astype(np.uint8)
    rows, columns = rng.uniform(-4, 24, (2, 20, 20)).astype(np.float32)

    def read(values, fill):
        wanted = [
            ndimage.map_coordinates(
                values[..., i], [rows, columns], float, 1, mode="grid-constant", cval=fill
            )
            for i in range(values.shape[-1])
        ]
        return np.stack(wanted, -1)

    moved, moved_masks = jax.jit(resample)(image, masks, rows, columns)
    assert (moved.dtype, moved_masks.dtype) == (np.float32, np.uint8)
    np.testing.assert_allclose(moved, read(image, AIR_HU), atol=0.05)
    share = read(masks.astype(float), 0.0)
    clear = np.abs(share - 0.5) > 1e-4
    np.testing.assert_array_equal(np.asarray(moved_masks)[clear], (share >= 0.5)[clear])


def test_whole_positions_give_the_pixels_to_the_bit(rng):
    image = jnp.asarray(rng.normal(0, 300, (16, 16, 1)), jnp.float32)
    masks = jnp.asarray(rng.integers(0, 2, (16, 16, 1)), jnp.uint8)
    rows, columns = jnp.asarray(np.mgrid[:16, :16], jnp.float32)
    moved, moved_masks = jax.jit(resample)(image, masks, rows, columns)
    np.testing.assert_array_equal(moved, image)
    np.testing.assert_array_equal(moved_masks, masks)


def test_far_away_there_is_nothing_but_air():
    far = jnp.full((8, 8), 1e9, jnp.float32)
    image, masks = jnp.zeros((8, 8, 1)), jnp.ones((8, 8, 1), jnp.uint8)
    for rows, columns in ((far, far), (-far, far), (far, -far)):
        moved, moved_masks = jax.jit(resample)(image, masks, rows, columns)
        np.testing.assert_array_equal(moved, AIR_HU)
        np.testing.assert_array_equal(moved_masks, 0)
