"""What the contenders work on: slices, batches and networks, from real CT or from phantoms."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from liverjax.benchmark.settings import Settings
from liverjax.config import ModelConfig
from liverjax.datasets.phantom.patient import PhantomSpec
from liverjax.datasets.phantom.phantom import make_phantom
from liverjax.io.ct import read_ct
from liverjax.models.build import build
from liverjax.volume import Volume

_TISSUE_HU = 100


class Scan(NamedTuple):
    """A CT with something to segment.

    Attributes:
        volume: the CT.
        labels: uint8 [D, H, W], see `liverjax.labels`.
        source: what it is, in words.
    """

    volume: Volume
    labels: np.ndarray
    source: str


class Problem(NamedTuple):
    """A network and a batch for it, on the device.

    Attributes:
        model: the network.
        variables: its initial weights.
        images: float32 [B, S, S, C] in 0..1.
        target: float32 [B, S, S, 1] of 0 and 1.
    """

    model: nn.Module
    variables: dict[str, Any]
    images: jax.Array
    target: jax.Array


def load_scan(settings: Settings) -> Scan:
    """`settings.slices` of the CT at `settings.data`, or of a phantom of twice the network's side.

    A CT comes without labels: bright tissue stands in for liver, which takes as long.

    Raises:
        InputError: `settings.data` is no CT.
    """
    if settings.data is None:
        phantom = make_phantom(settings.seed, phantom_spec(settings))
        labels = phantom.structures["liver"].astype(np.uint8)
        return Scan(phantom.volume, labels, f"phantom, {labels.shape}")
    volume = read_ct(settings.data)
    middle = len(volume.hu) // 2
    first = max(0, middle - settings.slices // 2)
    hu = np.ascontiguousarray(volume.hu[first : first + settings.slices])
    labels = (hu > _TISSUE_HU).astype(np.uint8)
    return Scan(Volume(hu, volume.geometry), labels, f"CT of --data, {hu.shape}")


def phantom_spec(settings: Settings) -> PhantomSpec:
    """512 x 512 pixels for a network of 256 x 256, as CT has them."""
    return PhantomSpec((settings.slices, 2 * settings.size, 2 * settings.size), settings.seed)


def model_config(settings: Settings) -> ModelConfig:
    """The thesis' network at the widths and the precision asked for."""
    return ModelConfig(features=settings.features, precision=settings.precision)


def network_problem(settings: Settings) -> Problem:
    """The thesis' network and a random batch: smooth blobs in noise, the blobs to be found."""
    model = build(model_config(settings))
    weights_key, blob_key, noise_key = jax.random.split(jax.random.key(settings.seed), 3)
    size, batch = settings.size, settings.batch_size
    coarse = jax.random.normal(blob_key, (batch, 8, 8, 1))
    blobs = jax.image.resize(coarse, (batch, size, size, 1), "cubic")
    target = (blobs > 0.5).astype(jnp.float32)
    noise = jax.random.uniform(noise_key, (batch, size, size, settings.channels))
    images = 0.5 * target + 0.5 * noise
    initialize = jax.jit(partial(model.init, train=False))
    variables = initialize(weights_key, images[:1])
    return Problem(model, variables, images, target)
