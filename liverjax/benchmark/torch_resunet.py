"""The peer of `liverjax.models.resunet` in PyTorch, as one writes it there. Maps are [B, C, H, W].

Submodules bear the names of the Flax modules, so that weights go over by name.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from liverjax.models.norm import EPSILON


class SameConv(nn.Conv2d):
    """A 3x3 convolution padded as "SAME" is: a stride of 2 pads even sides at their end only."""

    def __init__(self, inputs: int, features: int, stride: int = 1, *, bias: bool = True) -> None:
        super().__init__(inputs, features, 3, stride, 1 if stride == 1 else 0, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, features, H/stride, W/stride]."""
        return super().forward(x if self.stride == (1, 1) else functional.pad(x, (0, 1, 0, 1)))


class ConvBlock(nn.Module):
    """Batch norm, ReLU, 3x3 convolution."""

    def __init__(self, inputs: int, features: int, momentum: float, stride: int = 1) -> None:
        super().__init__()
        self.norm = batch_norm(inputs, momentum)
        self.conv = SameConv(inputs, features, stride)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, features, H/stride, W/stride]."""
        return self.conv(functional.relu(self.norm(x)))


class Shortcut(nn.Module):
    """1x1 convolution and batch norm."""

    def __init__(self, inputs: int, features: int, momentum: float, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, features, 1, stride)
        self.norm = batch_norm(features, momentum)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, features, H/stride, W/stride]."""
        return self.norm(self.conv(x))


class ResidualBlock(nn.Module):
    """Two `ConvBlock`s, the first strided, beside a `Shortcut`."""

    def __init__(self, inputs: int, features: int, momentum: float, stride: int = 1) -> None:
        super().__init__()
        self.first = ConvBlock(inputs, features, momentum, stride)
        self.second = ConvBlock(features, features, momentum)
        self.shortcut = Shortcut(inputs, features, momentum, stride)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, features, H/stride, W/stride]."""
        return self.second(self.first(x)) + self.shortcut(x)


class TorchResUNet(nn.Module):
    """Slices [B, C, S, S] -> logits [B, 1, S, S].

    Args:
        channels: of the input.
        features, momentum: as of `liverjax.models.resunet.ResUNet`.
    """

    def __init__(self, channels: int, features: tuple[int, ...], momentum: float) -> None:
        super().__init__()
        first, *deeper = features
        self.stem_conv = SameConv(channels, first)
        self.stem_block = ConvBlock(first, first, momentum)
        self.stem_shortcut = Shortcut(channels, first, momentum)
        for level, width in enumerate(deeper):
            self.add_module(f"encoder{level}", ResidualBlock(features[level], width, momentum, 2))
        for index in range(2):
            self.add_module(f"bridge{index}", ConvBlock(deeper[-1], deeper[-1], momentum))
        below = deeper[-1]
        for level in reversed(range(len(deeper))):
            block = ResidualBlock(below + features[level], deeper[level], momentum)
            self.add_module(f"decoder{level}", block)
            below = deeper[level]
        self.head = nn.Conv2d(deeper[0], 1, 1)
        self.levels = len(deeper)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        x = self.stem_block(self.stem_conv(x)) + self.stem_shortcut(x)
        skips = []
        for level in range(self.levels):
            skips.append(x)
            x = self.get_submodule(f"encoder{level}")(x)
        x = self.bridge1(self.bridge0(x))
        for level in reversed(range(self.levels)):
            x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = self.get_submodule(f"decoder{level}")(torch.cat([x, skips[level]], dim=1))
        return self.head(x)


def batch_norm(features: int, momentum: float) -> nn.BatchNorm2d:
    """With Flax's meaning of `momentum`, the part of the running statistics that is kept."""
    return nn.BatchNorm2d(features, eps=EPSILON, momentum=1.0 - momentum)
