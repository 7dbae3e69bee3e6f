"""Keras' legacy HDF5 files as data: groups, attributes and datasets, read by name.

`Model.save("x.h5")` keeps the network as JSON in the attribute `model_config` and its weights in
the group `model_weights`; `Model.save_weights("x.h5")` writes that group's content at the root.
Its attribute `layer_names` lists the layers, each a group whose attribute `weight_names` lists
its datasets. The optimiser's slots lie beside it, in `optimizer_weights`, and are not looked at.

A file may come from anywhere, so nothing in it is executed or leads out of it: links other than
hard ones and data kept in other files are refused, and sizes are known before anything is read.
"""

import contextlib
import itertools
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from liverjax.errors import InputError

Shape = tuple[int, ...]

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
# The thesis' network has 96 layers and 172 weights.
_MOST_LAYERS = 2_000
_MOST_WEIGHTS = 2_000
# A compressed dataset is unpacked in pieces; the largest of the thesis' fits into one of these.
_MOST_CHUNK = 2**22


class StoredLayer(NamedTuple):
    """A layer of the file.

    Attributes:
        name: of the layer.
        weights: datasets by what they are: "kernel", "bias", "gamma", "moving_mean", ...; empty
            for a layer without weights.
        shapes: of the weights.
    """

    name: str
    weights: dict[str, h5py.Dataset]
    shapes: dict[str, Shape]


class KerasFile(NamedTuple):
    """What a file holds.

    Attributes:
        path: of the file.
        layers: in the order of the file, which is that of `Model.layers`.
        model_config: the network as Keras describes it; None where only weights were saved.
    """

    path: Path
    layers: tuple[StoredLayer, ...]
    model_config: dict[str, Any] | None


@contextlib.contextmanager
def open_keras(path: Path) -> Iterator[KerasFile]:
    """Opens a file for reading; its datasets are good until the block ends.

    Raises:
        InputError: no HDF5 file, a truncated or damaged one, or one that Keras did not write.
    """
    with _open(path) as file:
        with _reading(path):
            root = _follow(file, "model_weights") if "model_weights" in file else file
            names = _strings(root, "layer_names") if isinstance(root, h5py.Group) else None
            layers = [] if names is None else _read_layers(root, names)
            model_config = _json(file, "model_config")
        if names is None:
            raise InputError(
                f"{path}: an HDF5 file without the attribute layer_names; expected one that Keras "
                "wrote by Model.save or Model.save_weights in its legacy .h5 layout"
            )
        yield KerasFile(path, tuple(layers), model_config)


def read_array(path: Path, dataset: h5py.Dataset) -> np.ndarray:
    """A dataset as float32, of its own shape, which is for the caller to have looked at.

    Raises:
        InputError: its numbers are no floats or not finite, or they cannot be read.
    """
    with _reading(path), np.errstate(over="ignore"):
        if dataset.dtype.kind != "f":
            raise InputError(f"{path}: {dataset.name}: expected floats, found {dataset.dtype}")
        array = np.asarray(dataset[()]).astype(np.float32)
    if not np.isfinite(array).all():
        raise InputError(f"{path}: {dataset.name}: expected finite numbers, found NaN or infinity")
    return array


def _open(path: Path) -> h5py.File:
    try:
        with path.open("rb") as raw:
            head = raw.read(len(_SIGNATURE))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        return h5py.File(path, "r", locking="best-effort")
    except Exception as error:  # h5py has no class of its own for what damaged files raise
        if head != _SIGNATURE:
            raise InputError(
                f"{path}: no HDF5 file (it begins with {head!r}); give the .h5 file of Keras"
            ) from error
        what = "truncated" if "truncated" in str(error) else "damaged"
        raise InputError(f"{path}: {what}; download or copy it anew") from error


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Says of whatever HDF5 or JSON cannot make sense of that the file is damaged."""
    try:
        yield
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, MemoryError) as error:
        what = str(error) or type(error).__name__
        raise InputError(f"{path}: damaged ({what[:200]}); download or copy it anew") from error


def _follow(group: h5py.Group, name: str) -> Any:
    """The member of a group that a name such as "conv2d_1/kernel:0" leads to."""
    found: Any = group
    for part in filter(None, name.split("/")):
        if not isinstance(found, h5py.Group) or part not in found:
            raise KeyError(f"{group.name} has no {name}")
        if not isinstance(found.get(part, getlink=True), h5py.HardLink):
            raise ValueError(f"{name} of {group.name} is a link to another place")
        found = found[part]
    return found


def _read_layers(root: h5py.Group, names: list[str]) -> list[StoredLayer]:
    """All layers; a file that lists more than any network has, or one twice, is not gone through.

    Every dataset stays open, so their number is bounded over the whole file: links may lead to
    one group again and again.
    """
    found: list[StoredLayer] = []
    seen: set[str] = set()
    weights = 0
    for name in names:
        for layer in _layers(root, name):
            if layer.name in seen:
                raise ValueError("two of its layers have the same name")
            seen.add(layer.name)
            found.append(layer)
            weights += len(layer.weights)
        if weights > _MOST_WEIGHTS:
            raise ValueError(f"{root.name} holds more than {_MOST_WEIGHTS} weights")
    return found


def _layers(root: h5py.Group, name: str) -> list[StoredLayer]:
    """A layer; or those inside of it, where a network was used as a layer of another one."""
    group = _follow(root, name)
    parts: dict[str, dict[str, h5py.Dataset]] = {}
    for path in _strings(group, "weight_names") or []:
        parent, _, last = path.rpartition("/")
        kind = last.partition(":")[0]  # TensorFlow's output number
        weights = parts.setdefault(parent, {})
        if kind in weights:
            raise ValueError(f"layer {name} has two weights {path}")
        weights[kind] = _dataset(group, path)
    if len(parts) < 2:
        parts = {name: next(iter(parts.values()), {})}
    return [
        StoredLayer(name, weights, {kind: dataset.shape for kind, dataset in weights.items()})
        for name, weights in parts.items()
    ]


def _dataset(group: h5py.Group, path: str) -> h5py.Dataset:
    dataset = _follow(group, path)
    if not isinstance(dataset, h5py.Dataset):
        raise ValueError(f"{path} of {group.name} is no dataset")
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"{dataset.name} keeps its numbers in another file")
    if math.prod(dataset.chunks or ()) > _MOST_CHUNK:
        raise ValueError(f"{dataset.name} is stored in pieces of {dataset.chunks}")
    return dataset


def _strings(group: h5py.Group, name: str) -> list[str] | None:
    """A list of names; where it is too long for one attribute, Keras writes name0, name1, ..."""
    numbered = itertools.takewhile(
        lambda key: key in group.attrs, (f"{name}{number}" for number in itertools.count())
    )
    keys = [name] if name in group.attrs else list(numbered)
    if not keys:
        return None
    found: list[str] = []
    for key in keys:
        size = math.prod(group.attrs.get_id(key).shape or (0,))
        if size + len(found) > _MOST_LAYERS:
            raise ValueError(f"attribute {key} of {group.name} lists {size} names")
        found += (
            [_text(item) for item in np.asarray(group.attrs[key]).ravel().tolist()] if size else []
        )
    return found


def _json(group: h5py.Group, name: str) -> dict[str, Any] | None:
    if name not in group.attrs:
        return None
    found = json.loads(_text(group.attrs[name]))
    if not isinstance(found, dict):
        raise ValueError(f"attribute {name} is no JSON object")
    return found


def _text(value: Any) -> str:
    """Text that was stored as bytes or as a string."""
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if not isinstance(value, str):
        raise TypeError(f"expected text, found {type(value).__name__}")
    return value
