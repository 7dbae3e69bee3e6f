"""The network of the thesis as Keras would describe it, layer by layer.

A layer is a `Node`; two nodes do the same if they have the same kind and the same text `what`,
which holds everything that decides a layer's function, and get the same inputs. The thesis'
network is listed in the order in which its notebook makes the layers: in a residual block the
main path before the shortcut.
"""

from collections.abc import Sequence
from typing import NamedTuple

from liverjax.models.keras_import.hdf5 import Shape
from liverjax.models.norm import EPSILON

CONV, NORM = "Conv2D", "BatchNormalization"
INPUT, OUTPUT = "InputLayer", "Output"
# Of these layers alone it plays no part which input comes first.
COMMUTATIVE = frozenset({"Add"})


class Node(NamedTuple):
    """A layer.

    Attributes:
        name: its name in a file; of the expected network, its place in the parameters of
            `liverjax.models.resunet.ResUNet`, such as "encoder0/first/conv".
        kind: Keras' class.
        what: all that decides its function, in words.
        inbound: names of the nodes that it gets its input from, in order.
        shapes: shapes of its weights by kind; known of the expected network alone.
    """

    name: str
    kind: str
    what: str
    inbound: tuple[str, ...]
    shapes: dict[str, Shape]


def convolution(filters: int, kernel: Sequence[int], strides: Sequence[int]) -> str:
    """What a plain convolution does: a bias, "same" padding, channels last."""
    size, stride = ("x".join(map(str, pair)) for pair in (kernel, strides))
    return f"{filters} filters of {size}, stride {stride}"


def normalization(epsilon: float) -> str:
    """What a plain batch norm does: over the last axis, with scale and offset."""
    return f"epsilon {epsilon:g}"


def up_sampling(size: Sequence[int], interpolation: str) -> str:
    """What an up-sampling does."""
    return f"{'x'.join(map(str, size))}, {interpolation}"


def thesis_graph(features: Sequence[int], channels: int) -> list[Node]:
    """The residual U-Net, inputs before what they go to.

    Args:
        features: width of each encoder level, from the finest.
        channels: of the network's input.
    """
    first, *deeper = features
    build = _Builder(channels)
    x = "input"
    y = build.conv_block("stem_block", build.conv("stem_conv", x, first, 3), first)
    x = build.add("stem/add", y, build.shortcut("stem_shortcut", x, first))
    skips = []
    for level, width in enumerate(deeper):
        skips.append(x)
        x = build.residual_block(f"encoder{level}", x, width, 2)
    for index in range(2):
        x = build.conv_block(f"bridge{index}", x, deeper[-1])
    for level, width in reversed(list(enumerate(deeper))):
        x = build.join(f"decoder{level}", x, skips[level])
        x = build.residual_block(f"decoder{level}", x, width)
    x = build.activation("head/sigmoid", build.conv("head", x, 1, 1), "sigmoid")
    build.node("output", OUTPUT, "", x)
    return build.nodes


class _Builder:
    """Nodes made so far, and the channels that each gives; every method gives back a name."""

    def __init__(self, channels: int) -> None:
        self.nodes = [Node("input", INPUT, f"{channels} channels", (), {})]
        self.width = {"input": channels}

    def node(self, name: str, kind: str, what: str, *inbound: str, **shapes: Shape) -> str:
        self.nodes.append(Node(name, kind, what, inbound, shapes))
        self.width.setdefault(name, self.width[inbound[0]])
        return name

    def conv(self, name: str, x: str, filters: int, size: int, stride: int = 1) -> str:
        kernel = (size, size, self.width[x], filters)
        self.width[name] = filters
        what = convolution(filters, (size, size), (stride, stride))
        return self.node(name, CONV, what, x, kernel=kernel, bias=(filters,))

    def norm(self, name: str, x: str) -> str:
        shape = (self.width[x],)
        kinds = ("gamma", "beta", "moving_mean", "moving_variance")
        return self.node(name, NORM, normalization(EPSILON), x, **dict.fromkeys(kinds, shape))

    def activation(self, name: str, x: str, function: str) -> str:
        return self.node(name, "Activation", function, x)

    def conv_block(self, name: str, x: str, filters: int, stride: int = 1) -> str:
        x = self.activation(f"{name}/relu", self.norm(f"{name}/norm", x), "relu")
        return self.conv(f"{name}/conv", x, filters, 3, stride)

    def shortcut(self, name: str, x: str, filters: int, stride: int = 1) -> str:
        return self.norm(f"{name}/norm", self.conv(f"{name}/conv", x, filters, 1, stride))

    def add(self, name: str, x: str, y: str) -> str:
        return self.node(name, "Add", "", x, y)

    def residual_block(self, name: str, x: str, filters: int, stride: int = 1) -> str:
        y = self.conv_block(f"{name}/first", x, filters, stride)
        y = self.conv_block(f"{name}/second", y, filters)
        return self.add(f"{name}/add", y, self.shortcut(f"{name}/shortcut", x, filters, stride))

    def join(self, name: str, x: str, skip: str) -> str:
        x = self.node(f"{name}/up", "UpSampling2D", up_sampling((2, 2), "nearest"), x)
        self.width[f"{name}/concat"] = self.width[x] + self.width[skip]
        return self.node(f"{name}/concat", "Concatenate", "last axis", x, skip)
