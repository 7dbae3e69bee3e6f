"""The tumour U-Net: plain double convolutions under group norm, for crops of the liver."""

import math

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from liverjax.models.blocks import DoubleConv
from liverjax.models.conv import Conv


class UNet(nn.Module):
    """Slices [B, S, S, C] -> logits float32; S is a multiple of 2^(levels - 1).

    In training a tuple of logits, finest first: [B, S, S, 1], then `deep_supervision` coarser
    ones, [B, S/2, S/2, 1] and so on; else the finest alone. Levels are joined by strided
    convolution on the way down (max-pooling has no deterministic gradient on a GPU) and by
    repetition and convolution on the way up.

    Attributes:
        features: width per level, from the finest.
        prior: share of foreground that the network starts from. Tumour is rare: without it the
            first steps are spent on learning to say no.
        dtype: of the computation; parameters and logits are float32.
        deep_supervision: coarser levels of the decoder that give logits of their own.
    """

    features: tuple[int, ...] = (16, 32, 64, 128)
    prior: float = 0.01
    dtype: DTypeLike = jnp.float32
    deep_supervision: int = 0

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array | tuple[jax.Array, ...]:
        skips = []
        for level, width in enumerate(self.features):
            stride = 1 if level == 0 else 2
            x = DoubleConv(width, stride, self.dtype, name=f"encoder{level}")(x)
            skips.append(x)
        log_odds = nn.initializers.constant(math.log(self.prior / (1 - self.prior)))
        logits = []
        for level in range(len(self.features) - 2, -1, -1):
            width = self.features[level]
            x = Conv(width, dtype=self.dtype, name=f"up{level}")(None, x)
            x = jnp.concatenate([x, skips[level]], axis=-1)
            x = DoubleConv(width, dtype=self.dtype, name=f"decoder{level}")(x)
            # The coarser heads' parameters are made whichever way the network is initialised.
            if level == 0 or (level <= self.deep_supervision and (train or self.is_initializing())):
                name = "head" if level == 0 else f"head{level}"
                logits.append(Conv(1, size=1, bias_init=log_odds, name=name)(x))
        return tuple(reversed(logits)) if train else logits[-1]
