"""Views of slices that become square: one separable resampling crops, scales and pads at once."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

_SPATIAL = (0, 1)


class View(NamedTuple):
    """A rectangle in each slice of a batch, in pixels; pixel i covers [i, i + 1).

    Attributes:
        center: float32 [B, 2], row and column.
        side: float32 [B, 2], along rows and columns; a square in mm where pixels are not square.
    """

    center: jax.Array
    side: jax.Array


def whole_view(batch: int, height: int, width: int) -> View:
    """The smallest square around each whole slice of [batch, height, width, ...]."""
    return View(
        center=jnp.tile(jnp.array([[height / 2, width / 2]], jnp.float32), (batch, 1)),
        side=jnp.full((batch, 2), max(height, width), jnp.float32),
    )


def at_scale(view: View, spacing: jax.Array, side_mm: jax.Array) -> View:
    """`view` with its centre kept and its sides set in mm.

    Args:
        view: what is kept of the slices whose spacing is not known.
        spacing: float32 [B, 2], mm per pixel of rows and columns; 0 where not known.
        side_mm: float32 [B].
    """
    known = jnp.all(spacing > 0, axis=1, keepdims=True)
    side = side_mm[:, None] / jnp.where(known, spacing, 1.0)
    return view._replace(side=jnp.where(known, side, view.side))


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
        """[H, W, C], [2], [2] -> [size, size, C]."""
        scale = size / side
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
        """[S, S, C], [2], [2] -> [height, width, C]."""
        scale = side / grid.shape[0]
        shape = (height, width, grid.shape[-1])
        return jax.image.scale_and_translate(
            grid, shape, _SPATIAL, scale, center - side / 2, method="linear", antialias=True
        )

    return jax.vmap(one)(grids.astype(jnp.float32), view.center, view.side)
