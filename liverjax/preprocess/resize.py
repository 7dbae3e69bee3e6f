"""Square views of slices: one separable resampling crops, scales and pads at once."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

_SPATIAL = (0, 1)


class View(NamedTuple):
    """A square in each slice of a batch, in pixels; pixel i covers [i, i + 1).

    Attributes:
        center: float32 [B, 2], row and column.
        side: float32 [B].
    """

    center: jax.Array
    side: jax.Array


def whole_view(batch: int, height: int, width: int) -> View:
    """The smallest square around each whole slice of [batch, height, width, ...]."""
    return View(
        center=jnp.tile(jnp.array([[height / 2, width / 2]], jnp.float32), (batch, 1)),
        side=jnp.full((batch,), max(height, width), jnp.float32),
    )


def sample(images: jax.Array, view: View, size: int, fill: float = 0.0) -> jax.Array:
    """What `view` shows, at `size` x `size` pixels.

    Linear, with a triangle filter as wide as the step when it shrinks (so that noise is
    averaged, not aliased).

    Args:
        images: float [B, H, W, C].
        view: see `View`; may reach beyond the slice.
        size: side of the result in pixels.
        fill: value outside the slice.

    Returns:
        float32 [B, size, size, C].
    """

    def one(image: jax.Array, center: jax.Array, side: jax.Array) -> jax.Array:
        """[H, W, C], [2], [] -> [size, size, C]."""
        scale = jnp.full((2,), size, jnp.float32) / side
        translation = (side / 2 - center) * scale
        shape = (size, size, image.shape[-1])
        return jax.image.scale_and_translate(
            image - fill, shape, _SPATIAL, scale, translation, method="linear", antialias=True
        )

    return jax.vmap(one)(images.astype(jnp.float32), view.center, view.side) + fill


def restore(grids: jax.Array, view: View, height: int, width: int) -> jax.Array:
    """Inverse of `sample`: puts what was seen in `view` back onto the slices, 0 outside it.

    Args:
        grids: float [B, S, S, C].
        view: where each of them lies.
        height, width: of the slices in pixels.

    Returns:
        float32 [B, height, width, C].
    """

    def one(grid: jax.Array, center: jax.Array, side: jax.Array) -> jax.Array:
        """[S, S, C], [2], [] -> [height, width, C]."""
        scale = jnp.broadcast_to(side / grid.shape[0], (2,))
        shape = (height, width, grid.shape[-1])
        return jax.image.scale_and_translate(
            grid, shape, _SPATIAL, scale, center - side / 2, method="linear", antialias=True
        )

    return jax.vmap(one)(grids, view.center, view.side)
