"""Weight gradient of a convolution on a CPU, as matrix products over blocks of rows.

XLA's own is a convolution whose window is the whole image. Its CPU back end runs that on a single
thread where there are 64 channels or fewer, and that of a 2x2 kernel at a hundredth of the speed.
A GPU has library kernels for it and does not come here (see `liverjax.models.conv`).
"""

import jax
import jax.numpy as jnp
from jax import lax

Padding = tuple[tuple[int, int], tuple[int, int]]

# Positions (rows x columns x slices) of a block: what a block needs then stays in the cache
# and is overwritten by the next.
BLOCK = 4096


def weight_gradient(
    x: jax.Array, g: jax.Array, window: tuple[int, int], stride: int, padding: Padding
) -> jax.Array:
    """Gradient of a convolution's kernel.

    Args:
        x: the convolution's input [B, H, W, I].
        g: the gradient of its output [B, P, Q, O].
        window: height and width of the kernel.
        stride: of both axes.
        padding: zeros before and after the rows and the columns of `x`.

    Returns:
        [height, width, I, O] in the type of `x`, summed in float32.
    """
    if window == (1, 1):
        return jnp.einsum("bhwi,bhwo->io", x, g, preferred_element_type=jnp.float32)[
            None, None
        ].astype(x.dtype)
    if stride == 1 and g.shape[-1] < x.shape[-1]:
        # The narrower operand is the cheaper one to copy shifted. From the output's side the
        # same products are a convolution by the mirrored kernel.
        mirrored = tuple(
            (k - 1 - lo, k - 1 - hi) for k, (lo, hi) in zip(window, padding, strict=True)
        )
        swapped = _blockwise(g, x, window, 1, (mirrored[0], mirrored[1]))
        return swapped[::-1, ::-1].swapaxes(2, 3).astype(x.dtype)
    return _blockwise(x, g, window, stride, padding).astype(x.dtype)


def _blockwise(
    x: jax.Array, g: jax.Array, window: tuple[int, int], stride: int, padding: Padding
) -> jax.Array:
    """`weight_gradient` in float32; shifts `x`, a block of rows of `g` after the other.

    The channels of `x` go first: its shifts are then rows of the left operand, and XLA's matrix
    product needs half the time that it takes where it has to transpose that operand itself.
    """
    (b, _, _, i), (_, p, q, o) = x.shape, g.shape
    height, width = window
    blocks = -(-p // max(1, BLOCK // (b * q)))
    rows = -(-p // blocks)
    taken = ((blocks * rows - 1) * stride + height, (q - 1) * stride + width)
    x = _framed(x, taken, padding).transpose(3, 0, 1, 2)
    g = _framed(g, (blocks * rows, q), ((0, 0), (0, 0)))
    reach = (rows - 1) * stride + height

    def shifted(part: jax.Array, dy: int, dx: int) -> jax.Array:
        last = (dy + (rows - 1) * stride + 1, dx + (q - 1) * stride + 1)
        return part[:, :, dy : last[0] : stride, dx : last[1] : stride]

    def add_block(index: jax.Array, total: jax.Array) -> jax.Array:
        """The part that one block of rows has in the gradient."""
        part = lax.dynamic_slice_in_dim(x, index * rows * stride, reach, axis=2)
        grad = lax.dynamic_slice_in_dim(g, index * rows, rows, axis=1).reshape(-1, o)
        shifts = [shifted(part, dy, dx) for dy in range(height) for dx in range(width)]
        left = jnp.concatenate(shifts).reshape(height * width * i, -1)
        return total + jnp.dot(left, grad, preferred_element_type=jnp.float32)

    total = jnp.zeros((height * width * i, o), jnp.float32)
    total = lax.fori_loop(0, blocks, add_block, total)
    return total.reshape(height, width, i, o)


def _framed(x: jax.Array, size: tuple[int, int], padding: Padding) -> jax.Array:
    """`x` behind its leading padding, zero-padded or cut at the end to `size` rows and columns."""
    edges = [
        (before, length - side - before, 0)
        for (before, _), length, side in zip(padding, size, x.shape[1:3], strict=True)
    ]
    if not any(before or after for before, after, _ in edges):
        return x
    return lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *edges, (0, 0, 0)])
