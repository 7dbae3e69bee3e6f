"""Building pieces of the networks. Feature maps are [B, H, W, C] throughout.

A `coarse` feature map beside `fine` [B, H, W, C] is [B, H/2, W/2, D] and stands for itself
doubled by repetition, its channels before those of `fine`. Normalisation, ReLU and convolutions
are done before the doubling: the same function at a quarter of the pixels.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from liverjax.models.conv import Conv
from liverjax.models.norm import BatchNorm


class ConvBlock(nn.Module):
    """Batch norm, ReLU, 3x3 convolution: [B, H, W, C] -> [B, H/stride, W/stride, features]."""

    features: int
    momentum: float
    stride: int = 1
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, fine: jax.Array, coarse: jax.Array | None = None, *, train: bool
    ) -> jax.Array:
        norm = BatchNorm(self.momentum, relu=True, name="norm")
        conv = Conv(self.features, stride=self.stride, dtype=self.dtype, name="conv")
        if coarse is None:
            return conv(*norm(fine, train=train))
        coarse, fine = norm(coarse, fine, train=train)
        return conv(fine, coarse)


class Shortcut(nn.Module):
    """1x1 convolution and batch norm: the other branch of a residual block, without ReLU."""

    features: int
    momentum: float
    stride: int = 1
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, fine: jax.Array, coarse: jax.Array | None = None, *, train: bool
    ) -> jax.Array:
        conv = Conv(self.features, size=1, stride=self.stride, dtype=self.dtype, name="conv")
        (x,) = BatchNorm(self.momentum, name="norm")(conv(fine, coarse), train=train)
        return x


class ResidualBlock(nn.Module):
    """Two `ConvBlock`s, the first strided, beside a `Shortcut`."""

    features: int
    momentum: float
    stride: int = 1
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, fine: jax.Array, coarse: jax.Array | None = None, *, train: bool
    ) -> jax.Array:
        width, momentum, dtype = self.features, self.momentum, self.dtype
        first = ConvBlock(width, momentum, self.stride, dtype, name="first")
        second = ConvBlock(width, momentum, dtype=dtype, name="second")
        shortcut = Shortcut(width, momentum, self.stride, dtype, name="shortcut")
        y = second(first(fine, coarse, train=train), train=train)
        return y + shortcut(fine, coarse, train=train)


class DoubleConv(nn.Module):
    """Twice 3x3 convolution, group norm, leaky ReLU; the first convolution strided.

    Group norm keeps a slice's result independent of the others in its batch and of running
    statistics, which would mix slices with large and with hardly any liver.
    """

    features: int
    stride: int = 1
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for index, stride in enumerate((self.stride, 1)):
            conv = Conv(
                self.features, stride=stride, use_bias=False, dtype=self.dtype, name=f"conv{index}"
            )
            norm = nn.GroupNorm(
                num_groups=_groups(self.features), dtype=self.dtype, name=f"norm{index}"
            )
            x = nn.leaky_relu(norm(conv(x)), 0.01)
        return x


def _groups(features: int, most: int = 8) -> int:
    """The largest number of groups up to `most` that divides `features`."""
    return max(n for n in range(1, most + 1) if features % n == 0)
