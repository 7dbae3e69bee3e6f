"""How the copies of `liverjax.datasets.copies` look: mirrored, or turned by a cubic spline.

Equal to `scipy.ndimage.rotate(slice, degrees, reshape=False)`, which the thesis used: cubic
B-splines through the pixels (Unser et al. 1993, IEEE Trans. Signal Processing 41(2)), 0 where the
turned slice has nothing, whole HU. Masks are 1 where the spline gives at least one half; the thesis
kept every pixel that was not exactly 0.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from scipy import ndimage

from liverjax.batch import DeviceBatch
from liverjax.datasets.copies import FIRST_TURNED, MIRRORED, TURNS_DEG
from liverjax.labels import Label, liver_mask, tumor_mask

# Pixels of a border that lets every pixel inside find its 4 x 4 neighbours.
_BORDER = 2


def make_copies(batch: DeviceBatch) -> DeviceBatch:
    """The batch with every slice as the copy that `copy` asks for; unchanged where that is absent.

    To be traced inside the jitted step. Shapes and types stay (see `liverjax.batch`); `image`
    and `label` are what changes.
    """
    if "copy" not in batch:
        return batch
    image, label = _make(batch["copy"], batch["image"], batch["label"])
    return {**batch, "image": image, "label": label}


def _make(copy: jax.Array, image: jax.Array, label: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Copies of images [B, H, W, K] and labels [B, H, W, 1]."""
    mirrored = _where(copy == MIRRORED, (image[:, :, ::-1], label[:, :, ::-1]), (image, label))

    def turn(copy: jax.Array, image: jax.Array, label: jax.Array) -> tuple[jax.Array, jax.Array]:
        return _where(copy >= FIRST_TURNED, _turn(copy, image, label), mirrored)

    def turn_on_cpu(
        copy: jax.Array, image: jax.Array, label: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Skips batches in which nothing is turned; a GPU would have to ask the host."""
        return jax.lax.cond(
            jnp.any(copy >= FIRST_TURNED), turn, lambda *_: mirrored, copy, image, label
        )

    return jax.lax.platform_dependent(copy, image, label, cpu=turn_on_cpu, default=turn)


def _where(
    chosen: jax.Array, first: tuple[jax.Array, jax.Array], second: tuple[jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """Per example of the batch, of two pairs of images and labels the first or the second."""
    which = chosen[:, None, None, None]
    return jnp.where(which, first[0], second[0]), jnp.where(which, first[1], second[1])


def _turn(copy: jax.Array, image: jax.Array, label: jax.Array) -> tuple[jax.Array, jax.Array]:
    """All examples turned, those that are no turned copies by some angle of no interest."""
    angles = np.deg2rad(TURNS_DEG)
    # Exact at right angles, where the outermost pixels would else fall outside.
    cosines, sines = (np.round(f(angles), 15).astype(np.float32) for f in (np.cos, np.sin))
    which = jnp.clip(copy - FIRST_TURNED, 0, len(TURNS_DEG) - 1)
    masks = jnp.concatenate([liver_mask(label), tumor_mask(label)], axis=-1)
    values = jnp.concatenate([image.astype(jnp.float32), masks.astype(jnp.float32)], axis=-1)
    turned = jax.vmap(_rotate)(values, jnp.asarray(cosines)[which], jnp.asarray(sines)[which])
    channels = image.shape[-1]
    hu = jnp.round(turned[..., :channels]).astype(image.dtype)
    liver, tumor = (turned[..., i : i + 1] >= 0.5 for i in (channels, channels + 1))
    liver_only = jnp.where(liver, jnp.uint8(Label.LIVER), jnp.uint8(Label.BACKGROUND))
    return hu, jnp.where(liver & tumor, jnp.uint8(Label.TUMOR), liver_only)


def _rotate(values: jax.Array, cosine: jax.Array, sine: jax.Array) -> jax.Array:
    """[H, W, C] float32 turned about its centre; 0 outside."""
    height, width, channels = values.shape
    rows, columns = _sources(height, width, cosine, sine)
    coefficients = jnp.pad(_spline_coefficients(values), _border_widths(), mode="reflect")
    flat = coefficients.reshape(-1, channels)
    row, column = jnp.floor(rows), jnp.floor(columns)
    first = (row.astype(jnp.int32) + _BORDER - 1) * (width + 2 * _BORDER)
    first += column.astype(jnp.int32) + _BORDER - 1
    down, across = _weights(rows - row), _weights(columns - column)
    inside = (rows >= 0) & (rows <= height - 1) & (columns >= 0) & (columns <= width - 1)
    first = jnp.where(inside, first, 0)
    total = jnp.zeros_like(values)
    for i in range(4):
        for j in range(4):
            taps = flat.at[first + (i * (width + 2 * _BORDER) + j)].get(mode="promise_in_bounds")
            total += (down[i] * across[j])[..., None] * taps
    return jnp.where(inside[..., None], total, 0.0)


def _sources(
    height: int, width: int, cosine: jax.Array, sine: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Row and column that each pixel [H, W] of the turned slice comes from."""
    middle_row, middle_column = (height - 1) / 2, (width - 1) / 2
    row = jnp.arange(height, dtype=jnp.float32)[:, None] - middle_row
    column = jnp.arange(width, dtype=jnp.float32)[None] - middle_column
    return (
        cosine * row + sine * column + middle_row,
        cosine * column - sine * row + middle_column,
    )


def _spline_coefficients(values: jax.Array) -> jax.Array:
    """Coefficients of the cubic spline through [H, W, C]: linear in the pixels of each axis."""
    down, across = (jnp.asarray(_prefilter(length)) for length in values.shape[:2])
    product = partial(jnp.einsum, precision="highest")
    return product("ij,jwc->iwc", down, product("ij,hjc->hic", across, values))


def _prefilter(length: int) -> np.ndarray:
    """float32 [length, length], from the values along an axis to their coefficients."""
    return ndimage.spline_filter1d(np.eye(length), order=3, axis=0, mode="mirror").astype(
        np.float32
    )


def _weights(fraction: jax.Array) -> tuple[jax.Array, ...]:
    """What the four pixels around a place count: the cubic B-spline at 1 + f, f, 1 - f, 2 - f."""
    f, g = fraction, 1 - fraction
    return (
        g**3 / 6,
        2 / 3 - f**2 * (2 - f) / 2,
        2 / 3 - g**2 * (2 - g) / 2,
        f**3 / 6,
    )


def _border_widths() -> tuple[tuple[int, int], ...]:
    return ((_BORDER, _BORDER), (_BORDER, _BORDER), (0, 0))
