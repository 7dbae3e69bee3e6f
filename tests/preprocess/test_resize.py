import jax.numpy as jnp
import numpy as np
import pytest

from liverjax.preprocess import resize
from liverjax.preprocess.window import AIR_HU


def test_the_whole_view_at_its_own_size_changes_nothing(rng):
    images = rng.normal(size=(2, 8, 8, 1)).astype(np.float32)
    view = resize.whole_view(2, 8, 8)
    np.testing.assert_allclose(resize.sample(images, view, 8), images, atol=1e-6)


def test_halving_averages_instead_of_picking():
    image = np.indices((16, 16)).sum(0)[None, ..., None] % 2 * 100.0  # a chequerboard
    half = resize.sample(image, resize.whole_view(1, 16, 16), 8)
    np.testing.assert_allclose(half, 50.0, atol=7)


def test_a_wide_slice_is_padded_not_squeezed():
    image = np.zeros((1, 8, 16, 1), np.float32)
    grid = resize.sample(image, resize.whole_view(1, 8, 16), 16, AIR_HU)[0, ..., 0]
    assert (grid[:3] == AIR_HU).all()
    assert (grid[-3:] == AIR_HU).all()
    np.testing.assert_allclose(grid[5:11], 0, atol=1e-3)


@pytest.mark.parametrize("center", [(20.0, 12.0), (3.0, 30.0)])
def test_restore_puts_back_what_sample_took(center):
    rows, columns = np.indices((32, 32))
    image = (rows + 2.0 * columns)[None, ..., None].astype(np.float32)
    view = resize.View(jnp.array([center]), jnp.array([[16.0, 16.0]]))
    back = np.asarray(resize.restore(resize.sample(image, view, 32), view, 32, 32))
    inside = np.zeros((32, 32), bool)
    for axis, middle in enumerate(center):
        offsets = np.indices((32, 32))[axis] + 0.5 - middle
        inside = (np.abs(offsets) < 6) & (inside if axis else True)
    # At the slice's own edge the grid mixes in what lies outside.
    inside[[0, -1]] = inside[:, [0, -1]] = False
    np.testing.assert_allclose(back[0, ..., 0][inside], image[0, ..., 0][inside], atol=0.1)
    assert not back[0, ..., 0][np.abs(rows + 0.5 - center[0]) > 9].any()


def test_pixels_that_are_not_square_come_back_where_they_were():
    rows, columns = np.indices((40, 24))
    image = (3.0 * rows + 5.0 * columns)[None, ..., None].astype(np.float32)
    # 30 mm around (20, 12) with pixels of 1 x 2 mm.
    view = resize.View(jnp.array([[20.0, 12.0]]), jnp.array([[30.0, 15.0]]))
    grid = resize.sample(image, view, 30)
    # Row i shows i + 0.5 mm from the view's top, column j half as many pixels from its left.
    expected = 3.0 * (5 + np.arange(30))[:, None] + 5.0 * (4 + (np.arange(30) + 0.5) / 2)
    np.testing.assert_allclose(grid[0, ..., 0], expected, atol=1e-3)
    back = np.asarray(resize.restore(grid, view, 40, 24))[0, ..., 0]
    np.testing.assert_allclose(back[6:34, 6:18], image[0, 6:34, 6:18, 0], atol=0.5)
    assert not back[:4].any()
    assert not back[36:].any()
    assert not back[:, :3].any()
    assert not back[:, 21:].any()


def test_a_scale_in_mm_keeps_the_centre_and_needs_a_known_spacing():
    fit = resize.View(jnp.array([[3.0, 4.0]] * 3), jnp.full((3, 2), 50.0))
    spacing = jnp.array([[1.0, 2.0], [0.0, 0.0], [0.0, 1.0]])
    view = resize.at_scale(fit, spacing, jnp.full((3,), 60.0))
    np.testing.assert_array_equal(view.center, fit.center)
    np.testing.assert_allclose(view.side, [[60, 30], [50, 50], [50, 50]])
