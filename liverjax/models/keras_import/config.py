"""Keras' description of a network, the JSON of `model_config`, as nodes.

Read as data, whichever Keras wrote it: spellings that mean the same give the same nodes, and a
layer that is not among those of the thesis' network is a node of its own class.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from liverjax.errors import InputError
from liverjax.models.keras_import.graph import (
    CONV,
    INPUT,
    NORM,
    OUTPUT,
    Node,
    convolution,
    normalization,
    up_sampling,
)

_MODELS = ("Model", "Functional")
# Activations that Keras also has as layers, with the values that make these plain.
_PLAIN_RELU: dict[str, tuple[Any, ...]] = {
    "max_value": (None,),
    "negative_slope": (0, None),
    "threshold": (0, None),
}


def read_graph(path: Path, model_config: Mapping[str, Any]) -> list[Node]:
    """The network in the attribute `model_config` of the file `path`, in the order of its layers.

    Raises:
        InputError: no functional model, one with a Lambda layer, or a damaged description.
    """
    kind = model_config.get("class_name")
    if kind not in _MODELS:
        raise InputError(f"{path}: expected a functional Keras model, found {kind}")
    try:
        config = model_config["config"]
        _refuse_code(path, config["layers"])
        nodes = [node for layer in config["layers"] for node in _nodes(layer)]
        ends = _references(config["output_layers"])
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: its model_config is damaged ({error!r:.200})") from error
    if len({node.name for node in nodes}) < len(nodes):
        raise InputError(f"{path}: its model_config is damaged: two layers have the same name")
    # Who reads a layer with an activation reads what comes after the activation.
    after = {node.inbound[0]: node.name for node in nodes if _is_own_activation(node)}
    nodes.append(Node("output", OUTPUT, "", ends, {}))
    return [
        node
        if _is_own_activation(node)
        else node._replace(inbound=tuple(after.get(name, name) for name in node.inbound))
        for node in nodes
    ]


def input_side(model_config: Mapping[str, Any]) -> int | None:
    """Height in pixels of the images that a network was made for; None where any will do."""
    for layer in model_config["config"]["layers"]:
        if layer["class_name"] == INPUT:
            side = _input_shape(layer["config"])[1]
            return side if isinstance(side, int) else None
    return None


def _refuse_code(path: Path, layers: Sequence[Mapping[str, Any]]) -> None:
    for layer in layers:
        if layer["class_name"] == "Lambda":
            raise InputError(
                f"{path}: layer {layer['config'].get('name')} is a Lambda, which holds pickled "
                "Python code. Nothing in the file is executed, and the thesis' network has no such "
                "layer"
            )


def _nodes(layer: Mapping[str, Any]) -> list[Node]:
    """A layer, and its activation where it has one of its own."""
    kind, config = layer["class_name"], layer["config"]
    name = layer.get("name") or config["name"]
    inbound = _inbound(name, layer["inbound_nodes"])
    if kind == "ReLU" and all(config.get(k) in plain for k, plain in _PLAIN_RELU.items()):
        return [Node(name, "Activation", "relu", inbound, {})]
    describe = _DESCRIBE.get(kind, lambda config: "")
    nodes = [Node(name, kind, describe(config), inbound, {})]
    if kind == CONV and (function := _function(config)) != "linear":
        nodes.append(Node(_activated(name), "Activation", function, (name,), {}))
    return nodes


def _activated(name: str) -> str:
    return f"{name} (its activation)"


def _is_own_activation(node: Node) -> bool:
    return bool(node.inbound) and node.name == _activated(node.inbound[0])


def _inbound(name: str, calls: Sequence[Any]) -> tuple[str, ...]:
    """Names of the layers that a layer is called on."""
    if len(calls) > 1:
        raise ValueError(f"layer {name} is used {len(calls)} times")
    if not calls:
        return ()
    # Keras 3 writes the arguments of the call, Keras 2 a list of [name, call, output, arguments].
    (call,) = calls
    if not isinstance(call, Mapping):
        return _references(call)
    found: list[Any] = []
    for argument in call["args"]:
        found += argument if isinstance(argument, list) else [argument]
    return _references([item["config"]["keras_history"] for item in found])


def _references(items: Sequence[Any]) -> tuple[str, ...]:
    """Names in [[name, call, output], ...], or in one of these alone."""
    if items and isinstance(items[0], str):
        items = [items]
    names = []
    for name, call, output, *_ in items:
        if not isinstance(name, str) or (call, output) != (0, 0):
            raise ValueError(f"{name} is used more than once or has several outputs")
        names.append(name)
    return tuple(names)


def _function(config: Mapping[str, Any]) -> str:
    """Name of an activation, which some versions wrap into an object."""
    found = config.get("activation")
    if isinstance(found, Mapping):
        found = found.get("config")
    return "linear" if found is None else str(found)


def _with_oddities(what: str, config: Mapping[str, Any], **plain: tuple[Any, ...]) -> str:
    """`what`, and every field whose value is not one of those that go without saying."""
    odd = [
        f"{k} {config[k]}" for k, values in plain.items() if k in config and config[k] not in values
    ]
    return ", ".join([what, *odd])


def _conv(config: Mapping[str, Any]) -> str:
    return _with_oddities(
        convolution(config["filters"], config["kernel_size"], config["strides"]),
        {"padding": "valid"} | dict(config),  # Keras' default
        padding=("same",),
        data_format=("channels_last", None),
        dilation_rate=([1, 1],),
        groups=(1,),
        use_bias=(True,),
    )


def _norm(config: Mapping[str, Any]) -> str:
    return _with_oddities(
        normalization(config["epsilon"]),
        config,
        axis=(-1, 3, [-1], [3]),
        center=(True,),
        scale=(True,),
        renorm=(False, None),
    )


def _up_sampling(config: Mapping[str, Any]) -> str:
    what = up_sampling(config["size"], config.get("interpolation", "nearest"))
    return _with_oddities(what, config, data_format=("channels_last", None))


def _input(config: Mapping[str, Any]) -> str:
    shape = _input_shape(config)
    return f"{shape[3]} channels" if len(shape) == 4 else f"shape {shape}"


def _input_shape(config: Mapping[str, Any]) -> Sequence[Any]:
    return config.get("batch_input_shape") or config.get("batch_shape") or ()


def _concatenate(config: Mapping[str, Any]) -> str:
    axis = config.get("axis", -1)
    return "last axis" if axis in (-1, 3) else f"axis {axis}"


_DESCRIBE: dict[str, Callable[[Mapping[str, Any]], str]] = {
    CONV: _conv,
    NORM: _norm,
    INPUT: _input,
    "Activation": _function,
    "Concatenate": _concatenate,
    "UpSampling2D": _up_sampling,
}
