"""The tumour U-Net: plain double convolutions under group norm, for crops of the liver."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from liverjax.models.blocks import DoubleConv, conv1x1, conv3x3, upsample


class UNet(nn.Module):
    """Slices [B, S, S, C] -> logits [B, S, S, 1]; S is a multiple of 2^(levels - 1).

    Levels are joined by strided convolution on the way down (max-pooling has no deterministic
    gradient on a GPU) and by repetition and convolution on the way up.

    Attributes:
        features: width per level, from the finest.
        prior: share of foreground that the network starts from. Tumour is rare: without it the
            first steps are spent on learning to say no.
    """

    features: tuple[int, ...] = (16, 32, 64, 128)
    prior: float = 0.01

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        del train  # no layer behaves differently; the argument is the networks' common interface
        skips = []
        for level, width in enumerate(self.features):
            x = DoubleConv(width, stride=1 if level == 0 else 2, name=f"encoder{level}")(x)
            skips.append(x)
        for level in range(len(self.features) - 2, -1, -1):
            width = self.features[level]
            x = conv3x3(width, name=f"up{level}")(upsample(x))
            x = jnp.concatenate([x, skips[level]], axis=-1)
            x = DoubleConv(width, name=f"decoder{level}")(x)
        log_odds = jnp.log(self.prior / (1 - self.prior))
        return conv1x1(1, bias_init=nn.initializers.constant(log_odds), name="head")(x)
