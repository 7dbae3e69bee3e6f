"""The region of interest of the tumour stage: a square around the liver in each slice."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from liverjax.preprocess.resize import View


class Box(NamedTuple):
    """The box around the liver of each slice, in pixels; of size 0 where there is none.

    Attributes:
        center: float32 [B, 2], row and column; the slice's own without liver.
        size: float32 [B, 2], height and width.
    """

    center: jax.Array
    size: jax.Array


def liver_box(liver: jax.Array) -> Box:
    """The box of a mask [B, H, W, 1] that is positive inside the liver."""
    _, height, width, _ = liver.shape
    inside = liver[..., 0] > 0
    top, bottom = _extent(inside.any(axis=2))
    left, right = _extent(inside.any(axis=1))
    center = jnp.stack([(top + bottom) / 2, (left + right) / 2], axis=-1)
    size = jnp.stack([bottom - top, right - left], axis=-1)
    present = inside.any(axis=(1, 2))[:, None]
    whole = jnp.array([[height / 2, width / 2]], jnp.float32)
    return Box(jnp.where(present, center, whole), jnp.where(present, size, 0.0))


def liver_view(box: Box, longest: int, margin: float, min_side: float) -> View:
    """A square around the liver of each slice; the whole slice where it holds no liver.

    Args:
        box: of the liver.
        longest: longer side of the slices in pixels.
        margin: border on every side, as a fraction of the box's longer side.
        min_side: smallest side, as a fraction of the slice's longer side, so that a sliver of
            liver is not blown up to something that the network has never seen.
    """
    side = jnp.max(box.size, axis=1, keepdims=True)
    padded = jnp.clip(side * (1 + 2 * margin), min_side * longest, float(longest))
    side = jnp.where(side > 0, padded, float(longest))
    return View(box.center, jnp.tile(side, (1, 2)))


def side_in_mm(box: Box, spacing: jax.Array, side_mm: float, margin: float) -> jax.Array:
    """Side of a square of one size for all, larger only where the liver would not fit into it.

    A larger square means coarser pixels: a liver seen whole and small beats one that is cut.

    Args:
        box: of the liver.
        spacing: float32 [B, 2], mm per pixel.
        side_mm: the side that all slices share.
        margin: border that must fit too, as a fraction of the box's longer side.

    Returns:
        float32 [B], mm.
    """
    longest = jnp.max(box.size * spacing, axis=1)
    return jnp.maximum(longest * (1 + 2 * margin), side_mm)


def _extent(occupied: jax.Array) -> tuple[jax.Array, jax.Array]:
    """First edge and last edge (float32 [B]) of the True entries in bool [B, N]."""
    first = jnp.argmax(occupied, axis=1)
    last = occupied.shape[1] - jnp.argmax(occupied[:, ::-1], axis=1)
    return first.astype(jnp.float32), last.astype(jnp.float32)


def dilate(mask: jax.Array, pixels: int) -> jax.Array:
    """Widens a 0/1 mask [B, H, W, 1] by `pixels` in every direction (a square element)."""
    if pixels == 0:
        return mask
    window = (1, 2 * pixels + 1, 2 * pixels + 1, 1)
    nothing = np.zeros((), mask.dtype)
    return jax.lax.reduce_window(mask, nothing, jax.lax.max, window, (1, 1, 1, 1), "SAME")
