"""PyTorch set up as fast as it goes, on the device that JAX uses."""

import contextlib
import functools
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import torch
from flax import traverse_util
from torch import Tensor, nn

from liverjax.benchmark.machine import cores
from liverjax.benchmark.settings import TorchMode
from liverjax.benchmark.torch_resunet import TorchResUNet
from liverjax.benchmark.torch_unet import TorchUNet
from liverjax.choices import Network
from liverjax.config import ModelConfig
from liverjax.errors import BenchmarkError

_NAMES = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}


@functools.cache
def torch_device() -> torch.device:
    """The counterpart of JAX's device, with PyTorch's switches set for speed.

    As many threads as XLA has; on a GPU the convolution algorithms are tried out, and TF32 is
    allowed, which XLA uses as well for float32.

    Raises:
        BenchmarkError: JAX computes on a GPU and PyTorch sees none.
    """
    torch.set_num_threads(cores())
    if jax.default_backend() == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise BenchmarkError(
            f"torch: JAX computes on {jax.devices()[0].device_kind} but this build of PyTorch sees "
            "no GPU; install one that does, or set JAX_PLATFORMS=cpu"
        )
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cuda.matmul.allow_tf32 = True
    return torch.device("cuda")


def torch_network(
    config: ModelConfig, channels: int, variables: Mapping[str, Any], mode: TorchMode
) -> nn.Module:
    """A network with the weights of ours, on `torch_device`, in the layout of `mode`.

    Compilation is left to the caller: of training it is the step that is compiled.

    Raises:
        BenchmarkError: the weights are not those of the PyTorch network.
    """
    match config.network:
        case Network.RESUNET:
            network = TorchResUNet(channels, tuple(config.features), config.momentum)
        case Network.UNET:
            network = TorchUNet(channels, tuple(config.features))
    copy_weights(network, variables)
    return network.to(torch_device(), memory_format=memory_format(mode))


def memory_format(mode: TorchMode) -> torch.memory_format:
    """The layout of feature maps and kernels."""
    return torch.contiguous_format if mode is TorchMode.EAGER else torch.channels_last


def to_torch(images: np.ndarray, mode: TorchMode = TorchMode.EAGER) -> Tensor:
    """[B, H, W, C] -> [B, C, H, W] on the device, in the layout of `mode`."""
    channels_first = torch.tensor(np.moveaxis(images, -1, 1))
    return channels_first.to(torch_device()).contiguous(memory_format=memory_format(mode))


def from_torch(maps: Tensor) -> np.ndarray:
    """[B, C, H, W] on any device -> float32 [B, H, W, C]."""
    return np.moveaxis(maps.detach().float().cpu().numpy(), 1, -1)


def precision_of(mode: TorchMode) -> contextlib.AbstractContextManager[Any]:
    """The context in which the forward pass and the loss of `mode` run."""
    if not mode.autocast:
        return contextlib.nullcontext()
    return torch.autocast(torch_device().type, torch.bfloat16)


def synchronize() -> None:
    """Returns when the device has done all that it was given; the CPU always has."""
    if torch_device().type == "cuda":
        torch.cuda.synchronize()


def copy_weights(network: nn.Module, variables: Mapping[str, Any]) -> None:
    """Gives `network` the parameters and running statistics of a Flax network.

    Raises:
        BenchmarkError: a name or a shape of one has no counterpart in the other.
    """
    wanted = {
        name: value
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    found = {}
    for tree in (variables["params"], variables.get("batch_stats", {})):
        for path, leaf in traverse_util.flatten_dict(dict(tree)).items():
            value = np.asarray(leaf)
            if value.ndim == 4:
                value = np.transpose(value, (3, 2, 0, 1))
            found[".".join((*path[:-1], _NAMES[path[-1]]))] = value
    shapes = {name: tuple(value.shape) for name, value in wanted.items()}
    if shapes != {name: value.shape for name, value in found.items()}:
        strange = sorted(set(shapes.items()) ^ {(n, v.shape) for n, v in found.items()})
        raise BenchmarkError(f"weights without a counterpart in PyTorch's network: {strange[:4]}")
    network.load_state_dict({n: torch.tensor(v) for n, v in found.items()}, strict=False)
