"""Both networks of a cascade as a few plain files, such as those that come with this package.

A bundle is a folder:

    cascade.json          version, configurations, training patients, calibrations, checksums
    liver/weights.npz     the network's variables, each by its path in their tree
    liver/contents.npz    what its patients show, see `datasets.content`; absent where not known
    tumor/...             likewise

The weights are plain NumPy, see `inference.weight_file`. Equal runs give equal bytes. A checkpoint
of Orbax is many files, and holds much that only training needs.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from liverjax.checkpoint import LoadedModel
from liverjax.choices import Stage
from liverjax.config_json import to_dict
from liverjax.datasets.content import save_contents
from liverjax.errors import CheckpointError, ConfigError, InputError
from liverjax.inference.calibration import Calibration, calibration_from
from liverjax.inference.load import (
    LoadedNetwork,
    Shipped,
    load_networks,
    rebuild_network,
    with_calibration,
)
from liverjax.inference.weight_file import read_arrays, write_arrays
from liverjax.io.atomic import make_folder, staging, write_json

FORMAT = 1
"""Version of the files' form; goes up where an older reader would misread them."""
MAX_BYTES = 25_000_000
"""Largest bundle that is written."""
SHIPPED = Path(__file__).resolve().parents[1] / "weights"
"""The bundle that comes with this package."""

RECORD = "cascade.json"
_WEIGHTS = "weights.npz"
_CONTENTS = "contents.npz"  # where `workflows.leaks` looks for it in a run
_STAGING = ".unfinished"
# What reading a record raises that is not as it was written.
_DAMAGED = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)


class Packed(NamedTuple):
    """A network to be written.

    Attributes:
        model: weights and all that is told of them.
        calibration: what was chosen for it; None for the defaults.
        contents: what the patients show that it has seen, by name; None where not known.
    """

    model: LoadedModel
    calibration: Calibration | None
    contents: Mapping[str, np.ndarray] | None


def write_bundle(folder: Path, networks: Mapping[Stage, Packed], version: str) -> dict[str, int]:
    """Writes a cascade into a folder; replaces the bundle that is there once all of it is made.

    The files are then moved one after the other, the record last: one killed meanwhile is to be
    repeated. Other files in the folder stay, such as a model card.

    Args:
        folder: made where it is absent.
        networks: both.
        version: what users are to call these weights.

    Returns:
        Size of each file in bytes, by its name in the folder.

    Raises:
        CheckpointError: a weight is not finite, or the bundle is larger than `MAX_BYTES`.
        InputError: the folder holds something else where the bundle would go.
    """
    _check_place(folder)
    make_folder(folder)
    with staging(folder / _STAGING) as made:
        described = {}
        for stage in Stage:
            _write_network(made / stage.value, networks[stage])
            described[stage.value] = _describe(made / stage.value, networks[stage])
        record = {"format": FORMAT, "version": version, "networks": described}
        write_json(made / RECORD, {**record, "checksum": _checksum(record)})
        # The record last: until it is there, its checksums tell of files that are not.
        files = [path for stage in Stage for path in sorted((made / stage.value).iterdir())]
        sizes = {
            path.relative_to(made).as_posix(): path.stat().st_size
            for path in (*files, made / RECORD)
        }
        total = sum(sizes.values())
        if total > MAX_BYTES:
            raise CheckpointError(
                f"{folder}: the weights would take {total / 1e6:.1f} MB, expected at most "
                f"{MAX_BYTES / 1e6:g}; train narrower networks (config.model.features)"
            )
        read_bundle(made)  # as whoever uses it does
        for stage in Stage:
            make_folder(folder / stage.value)
            (folder / stage.value / _CONTENTS).unlink(missing_ok=True)
        for name in sizes:
            (made / name).replace(folder / name)
    return sizes


def read_bundle(folder: Path | None = None) -> dict[Stage, LoadedNetwork]:
    """Both networks of a bundle, by default of that which comes with this package.

    Raises:
        CheckpointError: there is none, or it is damaged, of another version of the format, or not
            of the networks that it describes; names the file.
    """
    folder = SHIPPED if folder is None else folder
    record = _read_record(folder)
    try:
        version = str(record["version"])
        described = {stage: record["networks"][stage.value] for stage in Stage}
        return {
            stage: _read_network(folder / stage.value, stage, network, version)
            for stage, network in described.items()
        }
    except (*_DAMAGED, ConfigError) as error:
        raise _damaged(folder / RECORD, f"{type(error).__name__}: {error}") from error


def open_networks(
    liver_dir: str | Path | None,
    tumor_dir: str | Path | None,
    weights: str | Path | None = None,
) -> dict[Stage, LoadedNetwork]:
    """Both networks, of two training runs or of a bundle.

    Args:
        liver_dir, tumor_dir: workdirs; None for both where a bundle is wanted.
        weights: folder of the bundle; None for that which comes with this package.

    Raises:
        ConfigError: one workdir without the other, or workdirs and a bundle.
        CheckpointError: see `load.load_network` and `read_bundle`.
    """
    if liver_dir is None and tumor_dir is None:
        return read_bundle(None if weights is None else Path(weights))
    if liver_dir is None or tumor_dir is None:
        absent, given = ("liver", "tumor") if liver_dir is None else ("tumor", "liver")
        raise ConfigError(
            f"{absent}: expected a folder, as {given} has one; give the workdirs of both networks, "
            "or neither to use the weights that come with liverjax"
        )
    if weights is not None:
        raise ConfigError("weights: expected none beside the workdirs of liver and tumor")
    return load_networks({Stage.LIVER: Path(liver_dir), Stage.TUMOR: Path(tumor_dir)})


def _check_place(folder: Path) -> None:
    """A run's workdir is called liver or tumor as well, and has a `contents.npz` of its own."""
    if (folder / RECORD).is_file():
        return
    for stage in Stage:
        found = {path.name for path in (folder / stage.value).glob("*")}
        # What a call that was killed has left is replaced.
        if found - {_WEIGHTS, _CONTENTS}:
            raise InputError(
                f"{folder / stage.value}: not of a bundle, as there is no {RECORD} beside it; give "
                "another folder"
            )


def _write_network(folder: Path, network: Packed) -> None:
    make_folder(folder)
    try:
        write_arrays(folder / _WEIGHTS, network.model.variables)
    except CheckpointError as error:
        raise CheckpointError(f"{folder.name} network: {error}") from error
    if network.contents is not None:
        save_contents(folder / _CONTENTS, network.contents)


def _describe(folder: Path, network: Packed) -> dict[str, Any]:
    """What the record says of a network whose files lie in `folder`."""
    model, calibration = network.model, network.calibration
    return {
        "files": {path.name: _digest(path.read_bytes()) for path in sorted(folder.iterdir())},
        "fingerprint": model.fingerprint,
        "step": model.step,
        "config": model.config,
        "manifest": model.manifest,
        "calibration": None if calibration is None else to_dict(calibration),
    }


def _read_record(folder: Path) -> dict[str, Any]:
    path = folder / RECORD
    if not path.is_file():
        raise CheckpointError(
            f"{folder}: holds no weights of a cascade ({RECORD} is missing); expected a folder "
            "that experiments.ship wrote; the workdirs of two training runs are given one by one"
        )
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        found = record["format"]
        checksum = record.pop("checksum", None)
    except _DAMAGED as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    if found != FORMAT:
        raise CheckpointError(
            f"{path}: expected a bundle of format {FORMAT}, found {found!r:.40}; use the version "
            "of liverjax that it was written for"
        )
    if checksum != _checksum(record):
        raise _damaged(path, "its checksum is another")
    return record


def _read_network(
    folder: Path, stage: Stage, described: Mapping[str, Any], version: str
) -> LoadedNetwork:
    """The network in `folder`; what is wrong with its description raises what it raises."""
    for name, digest in described["files"].items():
        path = folder / name
        if not path.is_file():
            raise _damaged(path, "it is missing")
        if _digest(path.read_bytes()) != digest:
            raise _damaged(path, f"{path.stat().st_size} bytes whose checksum is another")
    try:
        variables = read_arrays(folder / _WEIGHTS)
    except ValueError as error:
        raise _damaged(folder / _WEIGHTS, str(error)) from error
    model = LoadedModel(
        variables,
        described["config"],
        described["manifest"],
        int(described["step"]),
        str(described["fingerprint"]),
    )
    network = rebuild_network(folder / _WEIGHTS, model, stage)
    stored = described["calibration"]
    network = with_calibration(network, None if stored is None else calibration_from(stored))
    return network._replace(run=folder, shipped=Shipped(version, described["files"][_WEIGHTS]))


def _damaged(path: Path, found: str) -> CheckpointError:
    return CheckpointError(
        f"{path}: damaged ({found}); install liverjax anew, or write the bundle anew with "
        "experiments.ship"
    )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _checksum(record: Mapping[str, Any]) -> str:
    """Of what a record says, whatever its line ends and the order of its fields."""
    return _digest(json.dumps(record, sort_keys=True, allow_nan=False).encode("utf-8"))
