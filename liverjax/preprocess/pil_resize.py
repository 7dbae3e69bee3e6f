"""Resizing of whole slices with the filters of PIL, equal to it in its mode F (float32)."""

import jax
import jax.numpy as jnp
import numpy as np

from liverjax.choices import ResizeFilter

_SUPPORT = 2.0  # pixels that the cubic kernel reaches to each side
_CUBIC = -0.5  # Keys' parameter (Keys 1981, IEEE TASSP 29) as PIL has it


def pil_resize(images: jax.Array, size: int, method: ResizeFilter) -> jax.Array:
    """Resizes slices to a square, each axis by itself.

    BICUBIC shrinks with a kernel as wide as the step, so that nothing aliases, and overshoots at
    edges by up to a quarter of their height. NEAREST takes pixels as they are.

    Args:
        images: float32 [B, H, W, C].
        size: side of the result in pixels.
        method: which filter.

    Returns:
        float32 [B, size, size, C].
    """
    height, width = images.shape[1:3]
    match method:
        case ResizeFilter.NEAREST:
            rows, columns = nearest_pixels(height, size), nearest_pixels(width, size)
            return images[:, rows][:, :, columns]
        case ResizeFilter.BICUBIC:
            across = jnp.asarray(bicubic_weights(width, size))
            down = jnp.asarray(bicubic_weights(height, size))
            # Rows first, as PIL does.
            narrow = jnp.einsum("bhwc,sw->bhsc", images, across, precision="highest")
            return jnp.einsum("bhwc,sh->bswc", narrow, down, precision="highest")


def nearest_pixels(length: int, size: int) -> np.ndarray:
    """The pixel that each of the result is taken from: int [size]."""
    scale = length / size
    # Added up as PIL does it, so that rounding falls the same way.
    places = np.cumsum(np.concatenate([[scale * 0.5], np.full(size - 1, scale)]))
    return np.minimum(places.astype(int), length - 1)


def offset(length: int, size: int, method: ResizeFilter) -> float:
    """By how many pixels what a result shows lies beyond the middle of its pixels, on average.

    NEAREST from 512 to 256 takes the second of every two pixels, half a pixel beyond the middle.
    """
    if method is ResizeFilter.BICUBIC:
        return 0.0
    middles = (np.arange(size) + 0.5) * length / size
    return float(np.mean(nearest_pixels(length, size) + 0.5 - middles))


def bicubic_weights(length: int, size: int) -> np.ndarray:
    """What each pixel counts in each pixel of the result: float32 [size, length], rows sum to 1."""
    scale = length / size
    stretch = max(scale, 1.0)
    centers = (np.arange(size) + 0.5) * scale
    first = np.maximum((centers - _SUPPORT * stretch + 0.5).astype(int), 0)
    last = np.minimum((centers + _SUPPORT * stretch + 0.5).astype(int), length)
    pixels = np.arange(length)
    inside = (pixels >= first[:, None]) & (pixels < last[:, None])
    weights = np.where(inside, _cubic((pixels + 0.5 - centers[:, None]) / stretch), 0.0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _cubic(x: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution kernel."""
    x, a = np.abs(x), _CUBIC
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
