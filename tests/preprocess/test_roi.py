import jax.numpy as jnp
import numpy as np

from liverjax.preprocess import roi


def test_liver_view_surrounds_the_liver_of_each_slice():
    liver = np.zeros((3, 40, 40, 1), np.uint8)
    liver[0, 10:20, 4:24] = 1
    liver[1, 39, 39] = 1
    view = roi.liver_view(roi.liver_box(jnp.asarray(liver)), 40, margin=0.1, min_side=0.25)
    np.testing.assert_allclose(view.center, [[15, 14], [39.5, 39.5], [20, 20]])
    np.testing.assert_allclose(view.side, [[24, 24], [10, 10], [40, 40]], rtol=1e-6)


def test_dilate_widens_by_the_pixels_asked_for():
    mask = np.zeros((1, 9, 9, 1), np.float32)
    mask[0, 4, 4] = 1
    assert np.asarray(roi.dilate(jnp.asarray(mask), 2)).sum() == 25
    assert np.asarray(roi.dilate(jnp.asarray(mask), 0)).sum() == 1


def test_the_side_in_mm_grows_only_for_a_liver_that_would_be_cut():
    box = roi.Box(
        center=jnp.zeros((3, 2)), size=jnp.array([[20.0, 10.0], [20.0, 60.0], [0.0, 0.0]])
    )
    spacing = jnp.array([[1.0, 3.0]] * 3)
    sides = roi.side_in_mm(box, spacing, side_mm=100.0, margin=0.1)
    np.testing.assert_allclose(sides, [100, 1.2 * 180, 100], rtol=1e-6)
