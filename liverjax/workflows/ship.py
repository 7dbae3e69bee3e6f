"""What `ship` does: two trained networks as the weights that come with the package."""

import dataclasses
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from liverjax.benchmark.flops import count_flops
from liverjax.checkpoint import FOLDER, LoadedModel, load_model
from liverjax.choices import Stage
from liverjax.config import ExperimentConfig
from liverjax.config_json import to_dict
from liverjax.datasets.content import load_contents
from liverjax.errors import CheckpointError
from liverjax.evaluation.aggregate import challenge_dice
from liverjax.evaluation.confusion import count
from liverjax.inference.bundle import Packed, read_bundle, write_bundle
from liverjax.inference.calibration import find_calibration
from liverjax.inference.cascade import Cascade, compose
from liverjax.inference.load import LoadedNetwork, load_networks, rebuild_network
from liverjax.models.build import build, logits_of
from liverjax.volume import Volume
from liverjax.workflows.manifest import CONTENTS

# Of a manifest; the rest names commands, which hold paths.
_TOLD = ("commit", "versions", "device", "dataset", "patients", "initial", "source")
_INITIAL = "the initial weights"


class Agreement(NamedTuple):
    """What rounding costs on a CT: both networks of the runs against those of the bundle.

    Attributes:
        liver, tumor: largest difference of a voxel's probability; that of tumour within the
            livers that each of the two found.
        liver_dice, tumor_dice: overlap of the masks; 1 where both are empty.
    """

    liver: float
    tumor: float
    liver_dice: float
    tumor_dice: float


def ship(runs: Mapping[Stage, Path], folder: Path, version: str) -> dict[str, int]:
    """Writes the best checkpoints of two runs as a bundle, with all that inference needs.

    That is the weights (see `inference.bundle`), the configurations, what was chosen for both
    networks, who they were trained and selected on, and what these patients show, so that they
    are refused in an evaluation as they are with the runs. No path and no command is among it.

    Args:
        runs: workdirs of both networks.
        folder: made where it is absent; an earlier bundle in it is replaced.
        version: what users are to call these weights.

    Returns:
        Size of each file in bytes, by its name in the folder.

    Raises:
        CheckpointError: a run has no complete checkpoint of its stage, does not tell whom it has
            seen, or was calibrated with another liver network; the bundle is too large.
        InputError: the folder holds something else.
    """
    packed = {stage: _pack(run, stage) for stage, run in runs.items()}
    chosen = packed[Stage.TUMOR].calibration
    liver = packed[Stage.LIVER].model.fingerprint
    if chosen is not None and chosen.liver_checkpoint not in ("", liver):
        raise CheckpointError(
            f"{runs[Stage.TUMOR]}: its threshold was chosen with another liver network than "
            f"{runs[Stage.LIVER]}; choose anew with experiments.calibrate"
        )
    return write_bundle(folder, packed, version)


def gflop_per_slice(config: ExperimentConfig) -> float:
    """Arithmetic of a network for one slice, in 10^9 floating-point operations.

    Of convolutions and matrix products, two for each multiplication with its addition; mirrored
    slices (`Postprocess.flips`) take twice as many.
    """
    model, side = build(config.model), config.preprocess.size
    image = jax.ShapeDtypeStruct((1, side, side, config.preprocess.input_channels), "float32")
    variables = jax.eval_shape(partial(model.init, train=False), jax.random.key(0), image)
    return count_flops(partial(logits_of, model), variables, image) / 1e9


def agreement(runs: Mapping[Stage, Path], folder: Path, volume: Volume) -> Agreement:
    """What rounding costs on a CT; see `Agreement`."""
    one, other = (_cascade(networks) for networks in (load_networks(runs), read_bundle(folder)))
    exact, found = one.predict(volume), other.predict(volume)
    overlaps = (
        challenge_dice(count(getattr(found.segmentation, part), getattr(exact.segmentation, part)))
        for part in ("liver", "tumor")
    )
    return Agreement(
        float(np.abs(found.liver - exact.liver).max()),
        float(np.abs(found.tumor - exact.tumor).max()),
        *overlaps,
    )


def _cascade(networks: Mapping[Stage, LoadedNetwork]) -> Cascade:
    return compose(networks[Stage.LIVER], networks[Stage.TUMOR])


def _pack(run: Path, stage: Stage) -> Packed:
    """The best checkpoint of a run without what is of no use, or nobody's business, elsewhere."""
    loaded = load_model(run)
    config = rebuild_network(run, loaded, stage).config
    missing = sorted({"dataset", "patients"} - set(loaded.manifest))
    if missing:
        raise CheckpointError(
            f"{run}: does not tell the {missing[0]} that it was trained on; give a run of "
            "experiments.train"
        )
    workdir = run.parent if run.name == FOLDER else run
    return Packed(
        LoadedModel(
            loaded.variables,
            # A path; the manifest tells what they have seen.
            to_dict(dataclasses.replace(config, init_from="")),
            {field: loaded.manifest[field] for field in _TOLD if field in loaded.manifest},
            loaded.step,
            loaded.fingerprint,
        ),
        find_calibration(workdir, loaded.fingerprint),
        _contents(workdir / CONTENTS),
    )


def _contents(path: Path) -> dict[str, np.ndarray] | None:
    """What the patients of a run show; those of its initial weights without the latter's path."""
    if not path.is_file():
        return None
    found: dict[str, np.ndarray] = {}
    for name, content in load_contents(path).items():
        _, initial, patient = name.rpartition(": ")
        name = f"{_INITIAL}: {patient}" if initial else name
        found[name] = np.concatenate([found[name], content]) if name in found else content
    return found
