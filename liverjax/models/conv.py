"""Convolutions. Feature maps are [B, H, W, C], kernels [height, width, in, out].

The same functions and parameters as `flax.linen.Conv` with "SAME" padding, arranged so that
they run well: a 1x1 convolution is a matrix product, a convolution of a doubled feature map is
done before the doubling, and on a CPU the weight gradient is ours.
"""

from functools import partial

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jax.typing import DTypeLike

from liverjax.models.conv_gradient import Padding, weight_gradient

_SPATIAL = ("NHWC", "HWIO", "NHWC")


class Conv(nn.Module):
    """Square convolution over a feature map, or over two that are joined without being joined.

    Called as `conv(fine)` [B, H, W, C] -> [B, H/stride, W/stride, features], or as
    `conv(fine, coarse)` with `coarse` [B, H/2, W/2, D]: the result is that of
    `concatenate([upsample(coarse), fine])`, whose D + C channels the kernel has; `fine` may
    then be None.

    Attributes:
        features: channels of the result.
        size: of the kernel, 1 or 3.
        stride: 1 or 2; 1 beside `coarse`.
        use_bias: whether a constant is added per channel.
        bias_init: what it starts from.
        dtype: of the computation; the parameters are float32.
    """

    features: int
    size: int = 3
    stride: int = 1
    use_bias: bool = True
    bias_init: nn.initializers.Initializer = nn.initializers.zeros_init()
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, fine: jax.Array | None, coarse: jax.Array | None = None) -> jax.Array:
        split = 0 if coarse is None else coarse.shape[-1]
        channels = split + (0 if fine is None else fine.shape[-1])
        shape = (self.size, self.size, channels, self.features)
        kernel = self.param("kernel", nn.initializers.glorot_uniform(), shape, jnp.float32)
        terms = []
        if fine is not None:
            weights = kernel[:, :, split:].astype(self.dtype)
            terms.append(convolve(fine.astype(self.dtype), weights, self.stride))
        if coarse is not None:
            terms.append(upsampled_convolve(coarse.astype(self.dtype), kernel[:, :, :split]))
        if self.use_bias:
            bias = self.param("bias", self.bias_init, (self.features,), jnp.float32)
            # In float32, or its gradient would be summed over all pixels in fewer bits.
            total = sum(terms[1:], terms[0]).astype(jnp.float32) + bias[None, None, None]
            return total.astype(self.dtype)
        return sum(terms[1:], terms[0])


def upsample(x: jax.Array) -> jax.Array:
    """Doubles height and width by repetition: [B, H, W, C] -> [B, 2H, 2W, C]."""
    b, h, w, c = x.shape
    spread = jnp.broadcast_to(x[:, :, None, :, None], (b, h, 2, w, 2, c))
    return spread.reshape(b, 2 * h, 2 * w, c)


def convolve(x: jax.Array, kernel: jax.Array, stride: int = 1) -> jax.Array:
    """Convolution with "SAME" padding: [B, H, W, I], [k, k, I, O] -> [B, H/stride, W/stride, O]."""
    if kernel.shape[:2] == (1, 1):
        return _conv(x[:, ::stride, ::stride], kernel, 1, ((0, 0), (0, 0)))
    padding = lax.padtype_to_pads(x.shape[1:3], kernel.shape[:2], (stride, stride), "SAME")
    return _conv(x, kernel, stride, (padding[0], padding[1]))


def upsampled_convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`convolve(upsample(x), kernel)` at a quarter or four ninths of the multiplications.

    A pixel of the result meets at most 2x2 different pixels of `x`, and where it lies inside
    its own pixel of `x` (four cases) decides how the 3x3 weights fall on them. So one 2x2
    convolution with four times the channels, the cases, holds the result (a sub-pixel
    convolution: Shi et al. 2016, arXiv:1609.05158).

    Args:
        x: [B, H, W, I].
        kernel: [k, k, I, O] with k of 1 or 3, float32.

    Returns:
        [B, 2H, 2W, O] in the type of `x`.
    """
    if kernel.shape[:2] == (1, 1):
        return upsample(convolve(x, kernel.astype(x.dtype)))
    b, h, w, _ = x.shape
    features = kernel.shape[-1]
    # Window p covers the rows p-1 and p of `x`, and gives the rows 2p-1 and 2p of the result:
    # as [row of the window, column of the window, I, (row case, column case, O)].
    rows = _merge_taps(kernel)
    both = _merge_taps(jnp.moveaxis(rows, 2, 0))  # [column case, column, row case, row, I, O]
    weights = both.transpose(3, 1, 4, 2, 0, 5).reshape(2, 2, -1, 4 * features)
    cases = _conv(x, weights.astype(x.dtype), 1, ((1, 1), (1, 1)))
    cases = cases.reshape(b, h + 1, w + 1, 2, 2, features).swapaxes(2, 3)
    return cases.reshape(b, 2 * h + 2, 2 * w + 2, features)[:, 1:-1, 1:-1]


def _merge_taps(kernel: jax.Array) -> jax.Array:
    """How three weights fall on two coarse pixels, in both cases: [3, ...] -> [2 cases, 2, ...]."""
    first, middle, last = kernel
    return jnp.stack([jnp.stack([first + middle, last]), jnp.stack([first, middle + last])])


def _library_conv(x: jax.Array, kernel: jax.Array, stride: int, padding: Padding) -> jax.Array:
    """XLA's convolution; a 1x1 one, which it does at half the speed or less, as a product."""
    if kernel.shape[:2] == (1, 1):
        return jnp.einsum("bhwi,io->bhwo", x, kernel[0, 0])
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), padding, dimension_numbers=_SPATIAL
    )


def _input_gradient(
    x: jax.Array, kernel: jax.Array, g: jax.Array, stride: int, padding: Padding
) -> jax.Array:
    """Gradient of `_library_conv`'s input for a CPU: `g` convolved by the mirrored kernel."""
    # The barrier keeps XLA from folding the mirroring into the convolution, which its CPU code
    # inside a loop then runs at a hundredth of the speed.
    mirrored = lax.optimization_barrier(kernel[::-1, ::-1].swapaxes(2, 3))
    if kernel.shape[:2] == (1, 1):
        return _library_conv(g, mirrored, 1, padding)
    # From H+1 rows back to H there is no padding, and XLA's CPU convolution without padding
    # runs at 90 GFLOP/s; with a row and a column too many, cut off again, at 300.
    spare = 1 if kernel.shape[:2] == (2, 2) else 0
    edges = []
    for k, (low, _), side, out in zip(
        kernel.shape[:2], padding, x.shape[1:3], g.shape[1:3], strict=True
    ):
        before = k - 1 - low
        edges.append((before, side + k - 1 - before - ((out - 1) * stride + 1) + spare))
    d_x = lax.conv_general_dilated(
        g, mirrored, (1, 1), edges, lhs_dilation=(stride, stride), dimension_numbers=_SPATIAL
    )
    return d_x[:, : x.shape[1], : x.shape[2]]


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _conv(x: jax.Array, kernel: jax.Array, stride: int, padding: Padding) -> jax.Array:
    """`_library_conv` with, on a CPU, a weight gradient of ours."""
    return _library_conv(x, kernel, stride, padding)


def _conv_forward(
    x: jax.Array, kernel: jax.Array, stride: int, padding: Padding
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    """`_conv` and what its gradient needs."""
    return _library_conv(x, kernel, stride, padding), (x, kernel)


def _conv_backward(
    stride: int, padding: Padding, saved: tuple[jax.Array, jax.Array], g: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Gradients of `_conv`'s input and kernel."""
    x, kernel = saved
    window = (kernel.shape[0], kernel.shape[1])

    def library(x: jax.Array, kernel: jax.Array, g: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jax.vjp(lambda x, kernel: _library_conv(x, kernel, stride, padding), x, kernel)[1](g)

    def ours(x: jax.Array, kernel: jax.Array, g: jax.Array) -> tuple[jax.Array, jax.Array]:
        d_x = _input_gradient(x, kernel, g, stride, padding)
        return d_x, weight_gradient(x, g, window, stride, padding)

    return lax.platform_dependent(x, kernel, g, cpu=ours, default=library)


_conv.defvjp(_conv_forward, _conv_backward)
