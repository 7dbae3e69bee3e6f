"""Which layer of a file is which layer of the network."""

import difflib
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from liverjax.errors import InputError
from liverjax.models.keras_import.graph import COMMUTATIVE, CONV, NORM, Node
from liverjax.models.keras_import.hdf5 import KerasFile, Shape, StoredLayer

_SHOWN = 3
_NAME = re.compile(r"(.*?)_?(\d{0,9})", re.DOTALL)
# Layers that the network does not have, by the names that Keras gives them: those without
# weights, and those whose weights may have the shapes of another kind.
_FOREIGN = re.compile(
    r"(.*_)?(lambda|dropout|spatial_dropout2d|(global_)?(max|average)_pooling2d|leaky_re_lu|elu|"
    r"softmax|multiply|subtract|average|maximum|minimum|dot|reshape|permute|flatten|"
    r"(zero_padding|cropping)2d|gaussian_noise|conv2d_transpose)"
)
# Layers without weights that it has, by the names that Keras gives them, also behind a prefix.
_PLAIN_NAMES = {
    "Activation": ("activation", "re_lu"),
    "Add": ("add",),
    "Concatenate": ("concatenate",),
    "UpSampling2D": ("up_sampling2d",),
}


def match_graph(path: Path, expected: Sequence[Node], found: Sequence[Node]) -> dict[str, str]:
    """Names of the layers that do what the expected ones do; neither names nor order play a part.

    Both graphs are walked together from the input on. No two layers of the expected network that
    read the same input do the same, so what has been matched leaves one choice for what follows.

    Args:
        path: of the file, for messages.
        expected: the network, inputs before what they go to.
        found: the file's, in any order.

    Returns:
        The file's name for each expected name.

    Raises:
        InputError: another architecture; lists the first layers that differ.
    """
    free = {node.name: node for node in found}
    names: dict[str, str] = {}
    lines = []
    for node in expected:
        if any(name not in names for name in node.inbound):
            continue  # what it follows is among the differences
        wanted = node._replace(inbound=tuple(names[name] for name in node.inbound))
        near = [other for other in free.values() if sorted(other.inbound) == sorted(wanted.inbound)]
        others = {other.kind for other in expected if other.inbound == node.inbound} - {node.kind}
        near.sort(key=lambda other: (other.kind != node.kind, other.kind in others))
        chosen = next((other for other in near if _same(wanted, other)), None)
        if chosen is None:
            # Where nothing gets all of these inputs, what gets one of them tells what is amiss.
            part = [other for other in free.values() if {*other.inbound} & {*wanted.inbound}]
            chosen = next(iter([*near, *part]), None)
            lines.append(_difference(node.name, _text(wanted), chosen))
        if chosen is not None and chosen.kind == node.kind:
            names[node.name] = chosen.name
            del free[chosen.name]
    if not lines:
        lines = [
            f"expected nothing more, found {node.name}, {_text(node)}" for node in free.values()
        ]
    if lines:
        raise _other(path, lines)
    return names


def _same(wanted: Node, found: Node) -> bool:
    inbound = wanted.kind in COMMUTATIVE or wanted.inbound == found.inbound
    return (wanted.kind, wanted.what) == (found.kind, found.what) and inbound


def _text(node: Node) -> str:
    what = f" ({node.what})" if node.what else ""
    return f"{node.kind}{what}" + (f" after {' and '.join(node.inbound)}" if node.inbound else "")


def _difference(role: str, wanted: str, found: Node | None) -> str:
    there = "no layer" if found is None else f"{found.name}, {_text(found)}"
    return f"{role}: expected {wanted}, found {there}"


def check_weights(file: KerasFile, expected: Sequence[Node], names: dict[str, str]) -> None:
    """Holds the weights of a matched file against the shapes that they must have.

    Raises:
        InputError: a layer has none, others, or was not matched; lists the first ones.
    """
    stored = {layer.name: layer for layer in file.layers if layer.weights}
    lines = []
    for node in expected:
        layer = stored.pop(names[node.name], None) if node.shapes else None
        if node.shapes and (layer is None or layer.shapes != node.shapes):
            lines.append(_weights_line(node, layer))
    lines += [_weights_line(None, layer) for layer in stored.values()]
    if lines:
        raise _other(file.path, lines)


def match_order(file: KerasFile, expected: Sequence[Node]) -> dict[str, str]:
    """Names of the layers with weights of a file that does not describe its network.

    Convolutions and batch norms stand in one of three orders: by the numbers that Keras gives
    them as they are made; as the file lists them, by their distance from the output, where a
    block's shortcut convolution stands between those of the main path; or as the file lists them,
    as they were made. The shapes tell which, and the batch norms are in the same order in all.
    What has no weights is seen by its name alone, where that is one that Keras gives: layers that
    the network lacks, or another number of those that it has. How they are joined stays unknown.

    Returns:
        The file's name for each expected name.

    Raises:
        InputError: in no order do the shapes fit; lists the first layers that differ.
    """
    foreign = [
        f"expected no such layer, found {layer.name}"
        for layer in file.layers
        if _FOREIGN.fullmatch(_stem_and_number(layer.name)[0])
    ]
    if foreign:
        raise _other(file.path, foreign)
    made = [node for node in expected if node.shapes]
    depths = _depths(expected)
    by_depth = sorted(made, key=lambda node: depths[node.name], reverse=True)
    listed = [layer for layer in file.layers if layer.weights]
    numbered = _by_number(listed)
    tries = [_align(by_depth, listed), _align(made, listed)]
    if numbered is not None:
        tries.insert(0, _align(made, numbered))
    best = min(tries, key=lambda attempt: len(attempt.lines))
    lines = best.lines or _other_counts(file, expected)
    if lines:
        raise _other(file.path, lines)
    return best.names


def _other_counts(file: KerasFile, expected: Sequence[Node]) -> list[str]:
    """A line for each kind of layer without weights of which there are more or fewer."""
    stems = Counter(_stem_and_number(layer.name)[0] for layer in file.layers if not layer.weights)
    kinds = Counter(node.kind for node in expected)
    lines = []
    for kind, names in _PLAIN_NAMES.items():
        found = sum(count for stem, count in stems.items() if stem.endswith(names))
        # The last activation may be that of the last convolution, and is no layer then.
        least = kinds[kind] - (kind == "Activation")
        if found and not least <= found <= kinds[kind]:
            lines.append(f"expected {kinds[kind]} layers {names[0]}, found {found}")
    return lines


class _Alignment(NamedTuple):
    """The names that fit, and a line for each layer that does not."""

    names: dict[str, str]
    lines: list[str]


def _align(expected: Sequence[Node], layers: Sequence[StoredLayer]) -> _Alignment:
    """Each kind for itself, and all else against nothing."""
    names: dict[str, str] = {}
    lines: list[str] = []
    for kind in (CONV, NORM):
        wanted = [node for node in expected if node.kind == kind]
        there = [layer for layer in layers if _kind(layer) == kind]
        left, right = [_key(n.shapes) for n in wanted], [_key(n.shapes) for n in there]
        for _, a, b, c, d in difflib.SequenceMatcher(None, left, right, False).get_opcodes():
            for index in range(max(b - a, d - c)):
                node = wanted[a + index] if a + index < b else None
                layer = there[c + index] if c + index < d else None
                if node and layer and node.shapes == layer.shapes:
                    names[node.name] = layer.name
                else:
                    lines.append(_weights_line(node, layer))
    lines += [_weights_line(None, layer) for layer in layers if _kind(layer) is None]
    return _Alignment(names, lines)


def _kind(layer: StoredLayer) -> str | None:
    if {"kernel"} <= set(layer.weights) <= {"kernel", "bias"}:
        return CONV
    return NORM if {"moving_mean", "moving_variance"} <= set(layer.weights) else None


def _by_number(layers: Sequence[StoredLayer]) -> list[StoredLayer] | None:
    """In the order of their numbers; None where these do not tell one, as with names by hand."""
    for kind in (CONV, NORM):
        names = [_stem_and_number(layer.name) for layer in layers if _kind(layer) == kind]
        if len({stem for stem, _ in names}) > 1 or len(set(names)) < len(names):
            return None
    return sorted(layers, key=lambda layer: _stem_and_number(layer.name)[1])


def _stem_and_number(name: str) -> tuple[str, int]:
    """("conv2d", 21) for "conv2d_21"; tf.keras leaves out the number of the first, 0."""
    found = _NAME.fullmatch(name)
    stem, digits = found.groups() if found else (name, "")
    return stem, int(digits or 0)


def _depths(nodes: Sequence[Node]) -> dict[str, int]:
    """Layers on the longest way from each node to the output, as Keras sorts `Model.layers` by."""
    depths = {node.name: 0 for node in nodes}
    for node in reversed(nodes):
        for name in node.inbound:
            depths[name] = max(depths[name], depths[node.name] + 1)
    return depths


def _key(shapes: dict[str, Shape]) -> str:
    return str(sorted(shapes.items()))


def _weights_line(node: Node | None, layer: StoredLayer | None) -> str:
    wanted = f"{node.name}: expected {_shapes(node.shapes)}" if node else "expected nothing more"
    found = f"{layer.name} with {_shapes(layer.shapes)}" if layer else "no such layer"
    return f"{wanted}, found {found}"


def _shapes(shapes: dict[str, Shape]) -> str:
    return ", ".join(f"{kind} {'x'.join(map(str, shape))}" for kind, shape in shapes.items())


def _other(path: Path, lines: Sequence[str]) -> InputError:
    more = len(lines) - _SHOWN
    shown = "\n  ".join([*lines[:_SHOWN], *([f"and {more} more"] if more > 0 else [])])
    return InputError(
        f"{path}: not the residual U-Net of the thesis; the first layers that differ:\n  {shown}"
    )
