import jax.numpy as jnp
import numpy as np

from liverjax.preprocess.window import window


def test_window_maps_and_clips():
    hu = jnp.array([-1024.0, -100.0, 150.0, 400.0, 3000.0])
    np.testing.assert_allclose(window(hu, -100, 400), [0, 0, 0.5, 1, 1])
