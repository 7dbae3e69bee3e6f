"""The region of interest of the tumour stage: a square around the liver in each slice."""

import jax
import jax.numpy as jnp

from liverjax.preprocess.resize import View


def liver_view(liver: jax.Array, margin: float, min_side: float) -> View:
    """A square around the liver of each slice.

    Args:
        liver: [B, H, W, 1], positive inside the liver.
        margin: border on every side, as a fraction of the box's longer side.
        min_side: smallest side, as a fraction of the slice's longer side, so that a sliver of
            liver is not blown up to something that the network has never seen.

    Returns:
        The views; the whole slice where it holds no liver.
    """
    _, height, width, _ = liver.shape
    longest = float(max(height, width))
    inside = liver[..., 0] > 0
    top, bottom = _extent(inside.any(axis=2))
    left, right = _extent(inside.any(axis=1))
    side = jnp.maximum(bottom - top, right - left) * (1 + 2 * margin)
    side = jnp.clip(side, min_side * longest, longest)
    center = jnp.stack([(top + bottom) / 2, (left + right) / 2], axis=-1)
    present = inside.any(axis=(1, 2))
    whole = jnp.array([[height / 2, width / 2]], jnp.float32)
    return View(
        center=jnp.where(present[:, None], center, whole),
        side=jnp.where(present, side, longest),
    )


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
    return jax.lax.reduce_window(mask, 0.0, jax.lax.max, window, (1, 1, 1, 1), "SAME")
