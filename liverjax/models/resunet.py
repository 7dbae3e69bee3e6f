"""The residual U-Net of the thesis: full pre-activation blocks, strided encoder, no pooling."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from liverjax.models.blocks import (
    ConvBlock,
    ResidualBlock,
    Shortcut,
    conv1x1,
    conv3x3,
    upsample,
)


class ResUNet(nn.Module):
    """Slices [B, S, S, C] -> logits [B, S, S, 1] (the thesis' sigmoid is left to the caller).

    With the default widths and three channels: 4,715,761 trainable parameters and 7,296
    batch-norm statistics, those of the Keras model. S is a multiple of 2^(levels - 1).

    Attributes:
        features: width of each encoder level, from the finest; the decoder's levels are one
            step wider than the encoder's of the same resolution.
        momentum: of the batch norm's running statistics.
    """

    features: tuple[int, ...] = (16, 32, 64, 128, 256)
    momentum: float = 0.99

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        first, *deeper = self.features
        x = self._stem(x, first, train)
        skips = []
        for level, width in enumerate(deeper):
            skips.append(x)
            x = ResidualBlock(width, self.momentum, 2, name=f"encoder{level}")(x, train=train)
        for index in range(2):
            x = ConvBlock(deeper[-1], self.momentum, name=f"bridge{index}")(x, train=train)
        for level, width in reversed(list(enumerate(deeper))):
            x = jnp.concatenate([upsample(x), skips[level]], axis=-1)
            x = ResidualBlock(width, self.momentum, name=f"decoder{level}")(x, train=train)
        return conv1x1(1, name="head")(x)

    def _stem(self, x: jax.Array, width: int, train: bool) -> jax.Array:
        y = conv3x3(width, name="stem_conv")(x)
        y = ConvBlock(width, self.momentum, name="stem_block")(y, train=train)
        return y + Shortcut(width, self.momentum, name="stem_shortcut")(x, train=train)
