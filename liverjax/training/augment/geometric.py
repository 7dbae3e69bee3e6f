"""Where the pixels of a moved slice come from: all geometric transforms as one map."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from liverjax.augment_config import AugmentConfig
from liverjax.training.augment.draws import is_on, symmetric, uniform, up_to
from liverjax.training.augment.spline import control_points, spline_basis


def moves(config: AugmentConfig) -> bool:
    """Whether any geometric transform is on."""
    return (
        is_on(config.rotation, config.rotation_probability)
        or is_on(config.zoom, config.zoom_probability)
        or is_on(config.shear, config.shear_probability)
        or is_on(config.shift, config.shift_probability)
        or is_on(config.elastic, config.elastic_probability)
        or is_on(config.flip, config.flip_probability)
        or is_on(config.flip_vertical, config.flip_vertical_probability)
    )


class Move(NamedTuple):
    """How one example is moved.

    Attributes:
        matrix: float32 [2, 2], from the centred pixels (row, column) of the result to the source.
        shift: float32 [2], of the content down and right, as a fraction of the side.
        bend: float32 [2, G, G], displacements at control points as fractions of the side, along
            rows and columns; no points (G = 0) where the transform is off.
        moved: bool scalar, whether any of these differs from "unchanged".
    """

    matrix: jax.Array
    shift: jax.Array
    bend: jax.Array
    moved: jax.Array


def draw_move(config: AugmentConfig, key: jax.Array) -> Move:
    """Draws how one example is moved."""
    affine_key, point_key = jax.random.split(key)
    numbers = uniform(affine_key, (7, 3))
    turn, scale, slant, offset, mirror, mirror_vertical, warp = numbers
    angle = symmetric(turn[0] < config.rotation_probability, turn[1], config.rotation)
    zoom = 1.0 + symmetric(scale[0] < config.zoom_probability, scale[1], config.zoom)
    shear = symmetric(slant[0] < config.shear_probability, slant[1:], config.shear)
    shift = symmetric(offset[0] < config.shift_probability, offset[1:], config.shift)
    flip = (mirror[0] < config.flip_probability) & config.flip
    flip_vertical = (mirror_vertical[0] < config.flip_vertical_probability) & config.flip_vertical
    matrix = _matrix(
        angle, shear, jnp.where(flip_vertical, -1.0, 1.0) / zoom, jnp.where(flip, -1.0, 1.0) / zoom
    )
    most = up_to(warp[0] < config.elastic_probability, warp[1], config.elastic)
    points = _points(config)
    bend = most * (2.0 * uniform(point_key, (2, points, points)) - 1.0)
    moved = jnp.any(matrix != jnp.eye(2)) | jnp.any(shift != 0) | (most > 0)
    return Move(matrix, shift, bend, moved)


def _matrix(angle: jax.Array, shear: jax.Array, down: jax.Array, right: jax.Array) -> jax.Array:
    """Rotation times shear times scales along rows and columns; angles in degrees, shear [2]."""
    cosine, sine = jnp.cos(jnp.deg2rad(angle)), jnp.sin(jnp.deg2rad(angle))
    across, along = jnp.tan(jnp.deg2rad(shear))
    # Written out: on a GPU a matrix product of float32 may round to fewer bits.
    return jnp.stack(
        [
            jnp.stack([(cosine - sine * along) * down, (cosine * across - sine) * right]),
            jnp.stack([(sine + cosine * along) * down, (sine * across + cosine) * right]),
        ]
    )


def source_positions(config: AugmentConfig, move: Move, size: int) -> tuple[jax.Array, jax.Array]:
    """Where each pixel x of the result comes from: matrix (x + bend(x) - shift), about the centre.

    The bend between control points is a cubic B-spline; see `spline`.

    Returns:
        Rows and columns, float32 [size, size] each, in pixels; x itself to the bit where the
        example is not moved.
    """
    middle = (size - 1) / 2
    centred = jnp.arange(size, dtype=jnp.float32) - middle
    ones = jnp.ones_like(centred)
    down, right = move.shift * size
    # Each coordinate is a product [1, row, spline] @ [f(column), m, displacement]. Compilers
    # compute cheap arithmetic anew, and rounded differently, wherever it is used, so that the
    # pixel to read and its weight could disagree by a pixel; a matrix product is stored once.
    basis = [ones[:, None], centred[:, None]]
    parts = [
        jnp.stack([m[1] * (centred - right) - m[0] * down + middle, m[0] * ones])
        for m in move.matrix
    ]
    if is_on(config.elastic, config.elastic_probability):
        spline = jnp.asarray(spline_basis(size, config.elastic_cell))
        basis.append(spline)
        bend = jnp.einsum("agh,sh->ags", move.bend, spline, precision="highest") * size
        parts = [
            jnp.concatenate([part, m[0] * bend[0] + m[1] * bend[1]])
            for part, m in zip(parts, move.matrix, strict=True)
        ]
    left = jnp.concatenate(basis, axis=1)
    rows, columns = (jnp.matmul(left, part, precision="highest") for part in parts)
    return rows, columns


def _points(config: AugmentConfig) -> int:
    """Control points along each axis, 0 where nothing is bent."""
    on = is_on(config.elastic, config.elastic_probability)
    return control_points(config.elastic_cell) if on else 0
