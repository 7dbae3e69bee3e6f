import jax
import numpy as np
import pytest
from PIL import Image

from liverjax.choices import ResizeFilter
from liverjax.preprocess.pil_resize import nearest_pixels, pil_resize

PIL_FILTERS = {
    ResizeFilter.NEAREST: Image.Resampling.NEAREST,
    ResizeFilter.BICUBIC: Image.Resampling.BICUBIC,
}


@pytest.mark.parametrize("method", ResizeFilter)
@pytest.mark.parametrize("shape", [(512, 512), (64, 96), (100, 37)])
@pytest.mark.parametrize("size", [256, 48])
def test_equal_to_pil(rng, method, shape, size):
    images = rng.random((2, *shape, 2)).astype(np.float32)
    found = jax.jit(pil_resize, static_argnums=(1, 2))(images, size, method)
    for b, c in np.ndindex(2, 2):
        wanted = Image.fromarray(images[b, ..., c]).resize((size, size), PIL_FILTERS[method])
        np.testing.assert_allclose(found[b, ..., c], np.asarray(wanted), atol=2e-6)


def test_nearest_takes_the_pixels_of_pil_at_every_ratio():
    for length in (30, 77, 512, 630):
        row = np.arange(length, dtype=np.float32)[None]
        for size in (16, 31, 96, 128, 256, 300):
            wanted = Image.fromarray(row).resize((size, 1), Image.Resampling.NEAREST)
            np.testing.assert_array_equal(nearest_pixels(length, size), np.asarray(wanted)[0])
