"""Building pieces of the networks. Feature maps are [B, H, W, C] throughout."""

from functools import partial

import jax
import jax.numpy as jnp
from flax import linen as nn

# Keras' defaults, which the thesis network was trained with; Flax's own epsilon is 1e-5.
BATCH_NORM_EPSILON = 1e-3

conv3x3 = partial(
    nn.Conv, kernel_size=(3, 3), padding="SAME", kernel_init=nn.initializers.glorot_uniform()
)
conv1x1 = partial(
    nn.Conv, kernel_size=(1, 1), padding="SAME", kernel_init=nn.initializers.glorot_uniform()
)


def batch_norm(*, train: bool, momentum: float, name: str) -> nn.BatchNorm:
    """Batch normalisation that uses the batch's statistics when `train`, else the running ones."""
    return nn.BatchNorm(
        use_running_average=not train, momentum=momentum, epsilon=BATCH_NORM_EPSILON, name=name
    )


def upsample(x: jax.Array) -> jax.Array:
    """Doubles height and width by repetition: [B, H, W, C] -> [B, 2H, 2W, C]."""
    return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)


class ConvBlock(nn.Module):
    """Batch norm, ReLU, 3x3 convolution: [B, H, W, C] -> [B, H/stride, W/stride, features]."""

    features: int
    momentum: float
    stride: int = 1

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        x = batch_norm(train=train, momentum=self.momentum, name="norm")(x)
        return conv3x3(self.features, strides=self.stride, name="conv")(nn.relu(x))


class Shortcut(nn.Module):
    """1x1 convolution and batch norm: the other branch of a residual block, without ReLU."""

    features: int
    momentum: float
    stride: int = 1

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        x = conv1x1(self.features, strides=self.stride, name="conv")(x)
        return batch_norm(train=train, momentum=self.momentum, name="norm")(x)


class ResidualBlock(nn.Module):
    """Two `ConvBlock`s, the first strided, beside a `Shortcut`."""

    features: int
    momentum: float
    stride: int = 1

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        y = ConvBlock(self.features, self.momentum, self.stride, name="first")(x, train=train)
        y = ConvBlock(self.features, self.momentum, name="second")(y, train=train)
        return y + Shortcut(self.features, self.momentum, self.stride, name="shortcut")(
            x, train=train
        )


class DoubleConv(nn.Module):
    """Twice 3x3 convolution, group norm, leaky ReLU; the first convolution strided.

    Group norm keeps a slice's result independent of the others in its batch and of running
    statistics, which would mix slices with large and with hardly any liver.
    """

    features: int
    stride: int = 1

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for index, stride in enumerate((self.stride, 1)):
            x = conv3x3(self.features, strides=stride, use_bias=False, name=f"conv{index}")(x)
            x = nn.GroupNorm(num_groups=_groups(self.features), name=f"norm{index}")(x)
            x = nn.leaky_relu(x, 0.01)
        return x


def _groups(features: int, most: int = 8) -> int:
    """The largest number of groups up to `most` that divides `features`."""
    return max(n for n in range(1, most + 1) if features % n == 0)
