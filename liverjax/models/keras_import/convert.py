"""The thesis' Keras weights as variables of `liverjax.models.resunet.ResUNet`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from liverjax.errors import InputError
from liverjax.models.keras_import.config import input_side, read_graph
from liverjax.models.keras_import.graph import thesis_graph
from liverjax.models.keras_import.hdf5 import open_keras, read_array
from liverjax.models.keras_import.match import check_weights, match_graph, match_order

# Keras' name of a weight -> collection and name in Flax. Both keep kernels as [height, width,
# in, out].
_PLACES = {
    "kernel": ("params", "kernel"),
    "bias": ("params", "bias"),
    "gamma": ("params", "scale"),
    "beta": ("params", "bias"),
    "moving_mean": ("batch_stats", "mean"),
    "moving_variance": ("batch_stats", "var"),
}


class KerasNetwork(NamedTuple):
    """What a file gave.

    Attributes:
        variables: {"params": ..., "batch_stats": ...}, nested dicts of float32 NumPy arrays.
        layers: the file's name of each layer with weights, by its place in `variables`.
        parameters: numbers read, statistics of the batch norms among them.
        side: height in pixels of the images that the network was made for; None where the file
            does not say.
    """

    variables: dict[str, Any]
    layers: dict[str, str]
    parameters: int
    side: int | None


def read_keras(path: Path, features: Sequence[int], channels: int) -> KerasNetwork:
    """Reads a legacy Keras HDF5 file of the thesis' residual U-Net; executes nothing in it.

    A whole model says how its layers hang together, and they are matched by that. A file of
    weights alone is matched by order and shapes; see `match_order` for what it cannot tell.

    Args:
        path: `Model.save` or `Model.save_weights` wrote it; the optimiser's state is left out.
        features: width of each encoder level, from the finest.
        channels: of the network's input.

    Raises:
        InputError: no such file, a damaged one, one of another architecture, or numbers that no
            network can have.
    """
    expected = thesis_graph(features, channels)
    with open_keras(path) as file:
        config = file.model_config
        if config is None:
            names = match_order(file, expected)
        else:
            names = match_graph(path, expected, read_graph(path, config))
            check_weights(file, expected, names)
        stored = {layer.name: layer for layer in file.layers}
        variables: dict[str, Any] = {"params": {}, "batch_stats": {}}
        layers, parameters = {}, 0
        for node in expected:
            if not node.shapes:
                continue
            layers[node.name] = names[node.name]
            for kind, dataset in stored[names[node.name]].weights.items():
                array = read_array(path, dataset)
                if kind == "moving_variance" and (array < 0).any():
                    raise InputError(
                        f"{path}: {dataset.name}: expected variances, found negative numbers"
                    )
                collection, name = _PLACES[kind]
                _put(variables[collection], node.name, name, array)
                parameters += array.size
    return KerasNetwork(
        variables, layers, parameters, None if config is None else input_side(config)
    )


def _put(tree: dict[str, Any], place: str, name: str, array: np.ndarray) -> None:
    for part in place.split("/"):
        tree = tree.setdefault(part, {})
    tree[name] = array
