"""What `import_keras` does: the thesis' Keras weights as a run that inference takes."""

import dataclasses
import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from liverjax.checkpoint import FOLDER, Saved, open_checkpoints
from liverjax.choices import Stage
from liverjax.config import ExperimentConfig
from liverjax.config_json import to_dict
from liverjax.errors import InputError, SplitError
from liverjax.io.atomic import make_folder, write_json
from liverjax.io.lock import only_user
from liverjax.io.seal import is_sealed
from liverjax.models.keras_import.convert import read_keras
from liverjax.validation import validate
from liverjax.workflows.manifest import FILE_NAME, Subject, describe_run

_LOGGER = logging.getLogger(__name__)

# In the name of a file, what tells the stage of its network.
_WORDS = {Stage.LIVER: ("liver",), Stage.TUMOR: ("tumor", "tumour")}
_STEP = 0


class Imported(NamedTuple):
    """What was imported.

    Attributes:
        checkpoint: folder of the checkpoint.
        layers: how many layers have weights.
        parameters: how many numbers these are, statistics of the batch norms among them.
    """

    checkpoint: Path
    layers: int
    parameters: int


def import_keras(h5: Path, run: Path, config: ExperimentConfig) -> Imported:
    """Writes the weights of a Keras file as the only checkpoint of a new run.

    Args:
        h5: file of the thesis' network, see `liverjax.models.keras_import.convert`.
        run: workdir to be made.
        config: what the network was trained with, its patients included; see `with_patients`.

    Raises:
        ConfigError: an impossible value.
        InputError: the file is not of this network, or `run` holds a run already; nothing is
            written then.
        CheckpointError: the checkpoint cannot be written.
    """
    validate(config)
    size, channels = config.preprocess.size, config.preprocess.input_channels
    network = read_keras(h5, config.model.features, channels)
    if network.side not in (None, size):
        _LOGGER.warning("%s: made for images of %d pixels, and will see %d", h5, network.side, size)
    manifest = describe_run(Subject(config, None)) | {
        "source": {"file": h5.name, "sha256": _sha256(h5), "layers": network.layers}
    }
    saved = Saved(
        model=network.variables,
        training={"step": np.zeros((), np.int32)},
        config=to_dict(config),
        manifest=manifest,
        progress={},
    )
    make_folder(run)
    with only_user(run):
        _refuse_other_run(run)
        write_json(run / FILE_NAME, manifest)
        with open_checkpoints(run) as checkpoints:
            checkpoints.save(_STEP, saved, None)
    return Imported(run / FOLDER / str(_STEP), len(network.layers), network.parameters)


def with_patients(config: ExperimentConfig, held_out: Sequence[str]) -> ExperimentConfig:
    """`config` with all of its patients on the training side but those that are held out.

    None is left for validation: whoever was not held out has been seen.

    Raises:
        SplitError: one of those held out is not among them.
    """
    sides = config.dataset
    everybody = sorted({*sides.train, *sides.validation, *sides.test})
    unknown = [name for name in held_out if name not in everybody]
    if unknown:
        raise SplitError(
            f"held_out: expected some of {everybody[0]} to {everybody[-1]}, found {unknown[0]!r}"
        )
    dataset = dataclasses.replace(
        sides,
        train=tuple(name for name in everybody if name not in held_out),
        validation=(),
        test=tuple(name for name in everybody if name in held_out),
    )
    return dataclasses.replace(config, dataset=dataset)


def stage_of(h5: Path) -> Stage:
    """The stage that the name of a file tells.

    Raises:
        InputError: it tells none, or both.
    """
    name = h5.name.lower()
    found = [stage for stage, words in _WORDS.items() if any(word in name for word in words)]
    if len(found) != 1:
        told = "both stages" if found else "no stage"
        raise InputError(f"{h5}: its name tells {told}; give --stage=liver or --stage=tumor")
    return found[0]


def _refuse_other_run(run: Path) -> None:
    """What lies in the folder is somebody's, unless it is an import that was cut off."""
    folder = run / FOLDER
    there = [run / "metrics.jsonl"] if (run / "metrics.jsonl").exists() else []
    if folder.is_dir():
        there += [path for path in folder.iterdir() if is_sealed(path)]
    if (run / FILE_NAME).exists() and not there and not _is_import(run / FILE_NAME):
        there = [run / FILE_NAME]
    if there:
        raise InputError(f"{run}: holds a run already ({there[0].name}); give another folder")


def _is_import(manifest: Path) -> bool:
    try:
        return "source" in json.loads(manifest.read_text())
    except (ValueError, TypeError):
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
