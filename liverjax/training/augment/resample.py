"""One bilinear resampling that moves an image and its masks alike."""

import jax
import jax.numpy as jnp

from liverjax.preprocess.window import AIR_HU


def resample(
    image: jax.Array, masks: jax.Array, rows: jax.Array, columns: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Reads an example at other positions, between its pixels linearly.

    Whole positions inside give the pixels themselves, to the bit. Air comes in from outside.
    A mask is set where the linear weights of its set pixels make up at least half; this keeps
    outlines smoother than the nearest pixel would, and a mask inside another one stays inside.

    Args:
        image: float32 [S, S, K], HU.
        masks: uint8 [S, S, M] of 0 and 1.
        rows, columns: float32 [S, S], where each pixel of the result comes from, in pixels.
            They must be the outputs of a matrix product, see `source_positions`.

    Returns:
        Image and masks at these positions, same shapes and types.
    """
    size = image.shape[0]
    row, down = _neighbour(rows, size)
    column, right = _neighbour(columns, size)
    # Pixel numbers in an array with a border of one pixel.
    corner = (row * (size + 2) + column)[..., None]
    down, right = down[..., None], right[..., None]
    a, b, c, d = _four_pixels(image, AIR_HU, corner)
    upper, lower = a + (b - a) * right, c + (d - c) * right
    moved = upper + (lower - upper) * down
    # Rounding must not lead out of the range of the four. (The range of the whole slice instead
    # would make it three times slower on a CPU.)
    lowest = jnp.minimum(jnp.minimum(a, b), jnp.minimum(c, d))
    highest = jnp.maximum(jnp.maximum(a, b), jnp.maximum(c, d))
    moved = jnp.clip(moved, lowest, highest)
    a, b, c, d = _four_pixels(masks, 0, corner)
    # A sum of weights can only grow with the pixels that are set, however it is rounded.
    share = (1 - down) * (a * (1 - right) + b * right) + down * (c * (1 - right) + d * right)
    return moved, (share >= 0.5).astype(masks.dtype)


def _neighbour(position: jax.Array, size: int) -> tuple[jax.Array, jax.Array]:
    """The pixel before each position, counted in the bordered array, and the next one's weight."""
    bordered = jnp.clip(position, -1.0, float(size)) + 1.0
    before = jnp.minimum(jnp.floor(bordered), float(size))
    return before.astype(jnp.int32), bordered - before


def _four_pixels(values: jax.Array, fill: float, corner: jax.Array) -> list[jax.Array]:
    """float32 [S, S, C] each: the pixels at `corner`, right of it, below, and below right."""
    size, _, channels = values.shape
    bordered = jnp.pad(values, ((1, 1), (1, 1), (0, 0)), constant_values=fill).reshape(-1)
    first = corner * channels + jnp.arange(channels, dtype=jnp.int32)[None, None]
    return [
        bordered.at[first + step * channels].get(mode="promise_in_bounds").astype(jnp.float32)
        for step in (0, 1, size + 2, size + 3)
    ]
