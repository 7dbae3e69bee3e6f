"""Histogram equalisation, equal to OpenCV's `equalizeHist` in every grey level."""

import jax
import jax.numpy as jnp

LEVELS = 256


def equalize(images: jax.Array) -> jax.Array:
    """Equalises the histogram of each image: uint8 [N, H, W] -> uint8 [N, H, W]."""

    def one(image: jax.Array) -> jax.Array:
        """[H, W] -> [H, W]."""
        counts = count(image, LEVELS)
        return equalized_levels(counts)[image].astype(jnp.uint8)

    return jax.vmap(one)(images)


def count(values: jax.Array, bins: int) -> jax.Array:
    """How often each integer from 0 to `bins` - 1 occurs: int32 [bins]."""
    return jnp.zeros(bins, jnp.int32).at[values.reshape(-1).astype(jnp.int32)].add(1)


def equalized_levels(counts: jax.Array) -> jax.Array:
    """What each grey level becomes, from how often it occurs: int32 [256] -> int32 [256].

    The lowest level that occurs becomes 0 and the others their share of all pixels above it, in
    255ths; an image of a single level keeps it. In float32 and rounded half to even, as OpenCV
    does (`cv::equalizeHist`, imgproc/src/histogram.cpp).
    """
    lowest = jnp.argmax(counts > 0)
    above = jnp.cumsum(counts) - counts[lowest]
    total = above[-1]
    scale = jnp.float32(LEVELS - 1) / jnp.maximum(total, 1).astype(jnp.float32)
    share = jnp.round(above.astype(jnp.float32) * scale).astype(jnp.int32)
    return jnp.where(total > 0, jnp.clip(share, 0, LEVELS - 1), lowest)
