"""The peer of `liverjax.models.unet` in PyTorch; see `torch_resunet`."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from liverjax.benchmark.torch_resunet import SameConv

_GROUPS = 8
_EPSILON = 1e-6  # Flax's default for group norm
_SLOPE = 0.01


class DoubleConv(nn.Module):
    """Twice 3x3 convolution, group norm, leaky ReLU; the first convolution strided."""

    def __init__(self, inputs: int, features: int, stride: int = 1) -> None:
        super().__init__()
        groups = max(n for n in range(1, _GROUPS + 1) if features % n == 0)
        self.conv0 = SameConv(inputs, features, stride, bias=False)
        self.norm0 = nn.GroupNorm(groups, features, eps=_EPSILON)
        self.conv1 = SameConv(features, features, bias=False)
        self.norm1 = nn.GroupNorm(groups, features, eps=_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, features, H/stride, W/stride]."""
        x = functional.leaky_relu(self.norm0(self.conv0(x)), _SLOPE)
        return functional.leaky_relu(self.norm1(self.conv1(x)), _SLOPE)


class TorchUNet(nn.Module):
    """Slices [B, C, S, S] -> logits [B, 1, S, S].

    Args:
        channels: of the input.
        features: as of `liverjax.models.unet.UNet`.
    """

    def __init__(self, channels: int, features: tuple[int, ...]) -> None:
        super().__init__()
        self.levels = len(features)
        before = channels
        for level, width in enumerate(features):
            self.add_module(f"encoder{level}", DoubleConv(before, width, 1 if level == 0 else 2))
            before = width
        for level in reversed(range(self.levels - 1)):
            width = features[level]
            self.add_module(f"up{level}", SameConv(features[level + 1], width))
            self.add_module(f"decoder{level}", DoubleConv(2 * width, width))
        self.head = nn.Conv2d(features[0], 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        skips = []
        for level in range(self.levels):
            x = self.get_submodule(f"encoder{level}")(x)
            skips.append(x)
        for level in reversed(range(self.levels - 1)):
            x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = self.get_submodule(f"up{level}")(x)
            x = self.get_submodule(f"decoder{level}")(torch.cat([x, skips[level]], dim=1))
        return self.head(x)
