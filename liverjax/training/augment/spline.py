"""Smooth random functions of a slice: cubic B-splines between control points drawn at random.

Free-form deformation has them too (Rueckert et al., IEEE Trans. Med. Imaging 18(8), 1999).
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from liverjax.training.augment.draws import uniform


def control_points(cell: float) -> int:
    """Points along an axis that lie `cell` sides apart: one before it, and enough to go beyond."""
    return math.ceil(1 / cell) + 3


def spline_basis(size: int, cell: float) -> np.ndarray:
    """float32 [size, points]: weight of each control point at each pixel; rows sum to 1."""
    place = np.arange(size)[:, None] / (cell * size)
    distance = np.abs(place - (np.arange(control_points(cell))[None] - 1))
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = (2 - distance).clip(0) ** 3 / 6
    return np.where(distance < 1, near, far).astype(np.float32)


def smooth_field(key: jax.Array, size: int, cell: float) -> jax.Array:
    """A random field, float32 [size, size] within -1..1, of standard deviation near 0.3."""
    points = control_points(cell)
    drawn = 2.0 * uniform(key, (points, points)) - 1.0
    basis = jnp.asarray(spline_basis(size, cell))
    return jnp.einsum("sa,ab,tb->st", basis, drawn, basis, precision="highest")
