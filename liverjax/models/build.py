"""From a configuration to a network."""

from typing import Any, cast

import jax
from flax import linen as nn

from liverjax.config import ModelConfig, Network
from liverjax.models.resunet import ResUNet
from liverjax.models.unet import UNet


def build(config: ModelConfig) -> nn.Module:
    """The network that `config` names: images [B, S, S, C] -> logits [B, S, S, 1].

    Called as `model.apply(variables, images, train=...)`; S is a multiple of
    2^(len(features) - 1).
    """
    match config.network:
        case Network.RESUNET:
            return ResUNet(tuple(config.features), config.momentum)
        case Network.UNET:
            return UNet(tuple(config.features))


def logits_of(model: nn.Module, variables: Any, images: jax.Array) -> jax.Array:
    """Logits of images [B, S, S, C] as inference sees them, under running statistics."""
    return cast(jax.Array, model.apply(variables, images, train=False))
