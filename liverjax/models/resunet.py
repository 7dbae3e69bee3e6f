"""The residual U-Net of the thesis: full pre-activation blocks, strided encoder, no pooling."""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from liverjax.models.blocks import ConvBlock, ResidualBlock, Shortcut
from liverjax.models.conv import Conv


class ResUNet(nn.Module):
    """Slices [B, S, S, C] -> logits float32 (the thesis' sigmoid is left to the caller).

    In training a tuple of logits, finest first: [B, S, S, 1], then `deep_supervision` coarser
    ones, [B, S/2, S/2, 1] and so on; else the finest alone. S is a multiple of 2^(levels - 1).
    With the default widths and three channels: 4,715,761 trainable parameters and 7,296
    batch-norm statistics, those of the Keras model.

    Attributes:
        features: width of each encoder level, from the finest; the decoder's levels are one
            step wider than the encoder's of the same resolution.
        momentum: of the batch norm's running statistics.
        dtype: of the computation; parameters, statistics and logits are float32.
        deep_supervision: coarser levels of the decoder that give logits of their own.
    """

    features: tuple[int, ...] = (16, 32, 64, 128, 256)
    momentum: float = 0.99
    dtype: DTypeLike = jnp.float32
    deep_supervision: int = 0

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array | tuple[jax.Array, ...]:
        first, *deeper = self.features
        momentum, dtype = self.momentum, self.dtype
        x = self._stem(x, first, train)
        skips = []
        for level, width in enumerate(deeper):
            skips.append(x)
            x = ResidualBlock(width, momentum, 2, dtype, name=f"encoder{level}")(x, train=train)
        for index in range(2):
            x = ConvBlock(deeper[-1], momentum, dtype=dtype, name=f"bridge{index}")(x, train=train)
        logits = []
        for level, width in reversed(list(enumerate(deeper))):
            block = ResidualBlock(width, momentum, dtype=dtype, name=f"decoder{level}")
            x = block(skips[level], x, train=train)
            # The coarser heads' parameters are made whichever way the network is initialised.
            if level == 0 or (level <= self.deep_supervision and (train or self.is_initializing())):
                head = Conv(1, size=1, name="head" if level == 0 else f"head{level}")
                logits.append(head(x))
        return tuple(reversed(logits)) if train else logits[-1]

    def _stem(self, x: jax.Array, width: int, train: bool) -> jax.Array:
        momentum, dtype = self.momentum, self.dtype
        y = Conv(width, dtype=dtype, name="stem_conv")(x)
        y = ConvBlock(width, momentum, dtype=dtype, name="stem_block")(y, train=train)
        return y + Shortcut(width, momentum, dtype=dtype, name="stem_shortcut")(x, train=train)
