import cv2
import jax
import numpy as np
import pytest

from liverjax.preprocess.equalize import equalize


def check_equal_to_opencv(images):
    found = np.asarray(jax.jit(equalize)(images))
    assert found.dtype == np.uint8
    for image, ours in zip(images, found, strict=True):
        np.testing.assert_array_equal(ours, cv2.equalizeHist(image))


@pytest.mark.parametrize("shape", [(64, 64), (48, 80)])
def test_random_images_give_the_levels_of_opencv(rng, shape):
    # Histograms of all forms: narrow, wide, with gaps, and with few levels.
    images = [
        (rng.beta(*rng.uniform(0.2, 5, 2), shape) * rng.integers(1, 256)).astype(np.uint8)
        for _ in range(50)
    ]
    images += [rng.choice(rng.integers(0, 256, 5), shape).astype(np.uint8) for _ in range(50)]
    check_equal_to_opencv(np.stack(images))


@pytest.mark.parametrize("level", [0, 7, 255])
def test_an_image_of_one_level_keeps_it(level):
    check_equal_to_opencv(np.full((1, 16, 16), level, np.uint8))


def test_two_levels_become_black_and_white():
    image = np.full((1, 8, 8), 100, np.uint8)
    image[0, 0, 0] = 101
    check_equal_to_opencv(image)
    assert set(np.unique(equalize(image))) == {0, 255}
