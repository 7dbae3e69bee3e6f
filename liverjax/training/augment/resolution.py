"""What costs a slice its detail: blur and coarser sampling, in shapes fixed under jit."""

import math

import jax
import jax.numpy as jnp


def blur(image: jax.Array, sigma: jax.Array, most: float) -> jax.Array:
    """Gaussian blur, separable, the border pixels repeated outwards.

    Args:
        image: float32 [S, S, K].
        sigma: standard deviation in pixels, a scalar in 0..most; 0 changes nothing.
        most: decides how far the kernel reaches, three of its standard deviations.
    """
    reach = math.ceil(3 * most)
    offsets = jnp.arange(reach + 1, dtype=jnp.float32)
    weights = jnp.exp(-0.5 * (offsets / jnp.maximum(sigma, 1e-3)) ** 2)
    weights = weights / (2 * jnp.sum(weights) - weights[0])
    return _blur_axis(_blur_axis(image, weights, reach, 0), weights, reach, 1)


def _blur_axis(image: jax.Array, weights: jax.Array, reach: int, axis: int) -> jax.Array:
    border = [(0, 0)] * image.ndim
    border[axis] = (reach, reach)
    padded = jnp.pad(image, border, mode="edge")
    size = image.shape[axis]

    def moved(by: int) -> jax.Array:
        return jax.lax.slice_in_dim(padded, reach + by, reach + by + size, axis=axis)

    # Written as sums, not as a convolution: few taps, and exact where only the first is not 0.
    total = moved(0) * weights[0]
    for step in range(1, reach + 1):
        total = total + (moved(-step) + moved(step)) * weights[step]
    return total


def coarsen(image: jax.Array, side: jax.Array) -> jax.Array:
    """Samples a slice on fewer pixels, nearest ones, and fills it up again linearly.

    Args:
        image: float32 [S, S, K].
        side: number of pixels that are left of S along each axis, a whole scalar in 1..S.
    """
    matrix = _coarse_matrix(image.shape[0], side)
    # As matrix products: several times faster than gathering rows and columns. In full
    # precision, or a GPU would round HU to 11 bits.
    rows = jnp.einsum("ir,rck->ick", matrix, image, precision="highest")
    return jnp.einsum("jc,ick->ijk", matrix, rows, precision="highest")


def _coarse_matrix(size: int, side: jax.Array) -> jax.Array:
    """float32 [size, size]: the weight of each pixel of a line in each pixel of the result.

    The neighbours are found in whole numbers; the identity where `side` is `size`.
    """
    # Pixel i lies at coarse position ((2 i + 1) side - size) / (2 size).
    numerator = (2 * jnp.arange(size, dtype=jnp.int32) + 1) * side - size
    place = numerator // (2 * size)
    weight = (numerator - place * (2 * size)) / (2.0 * size)

    def kept(coarse: jax.Array) -> jax.Array:
        """Which pixel each coarse one keeps, as float32 [size, size] of 0 and 1."""
        pixel = (2 * jnp.clip(coarse, 0, side - 1) + 1) * size // (2 * side)
        return jax.nn.one_hot(pixel, size, dtype=jnp.float32)

    return kept(place) * (1.0 - weight)[:, None] + kept(place + 1) * weight[:, None]
