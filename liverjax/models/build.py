"""From a configuration to a network."""

from typing import Any, cast

import jax
import jax.numpy as jnp
from flax import linen as nn

from liverjax.choices import Network, Precision
from liverjax.config import ModelConfig
from liverjax.errors import ConfigError
from liverjax.models.resunet import ResUNet
from liverjax.models.unet import UNet


def build(config: ModelConfig) -> nn.Module:
    """The network that `config` names: images [B, S, S, C] -> logits float32.

    Called as `model.apply(variables, images, train=...)`; S is a multiple of
    2^(len(features) - 1). With `train` the result is a tuple, finest first: [B, S, S, 1], then
    `config.deep_supervision` coarser ones, [B, S/2, S/2, 1] and so on; else the finest alone.

    Raises:
        ConfigError: more levels supervised than the decoder has beside its finest.
    """
    most = max(len(config.features) - 2, 0)
    if not 0 <= config.deep_supervision <= most:
        raise ConfigError(
            f"config.model.deep_supervision: expected 0 to {most} with {len(config.features)} "
            f"levels in config.model.features, found {config.deep_supervision}"
        )
    features, coarser = tuple(config.features), config.deep_supervision
    dtype = jnp.bfloat16 if config.precision is Precision.BFLOAT16 else jnp.float32
    match config.network:
        case Network.RESUNET:
            return ResUNet(features, config.momentum, dtype, coarser)
        case Network.UNET:
            return UNet(features, dtype=dtype, deep_supervision=coarser)


def logits_of(model: nn.Module, variables: Any, images: jax.Array) -> jax.Array:
    """Logits of images [B, S, S, C] as inference sees them, under running statistics."""
    return cast(jax.Array, model.apply(variables, images, train=False))
