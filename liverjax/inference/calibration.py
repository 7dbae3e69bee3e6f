"""What was chosen for a checkpoint on validation patients, stored beside it."""

import dataclasses
import json
import logging
from pathlib import Path
from typing import Any

from liverjax.config_json import from_dict, to_dict
from liverjax.errors import CheckpointError, ConfigError
from liverjax.inference.postprocess import Postprocess
from liverjax.io.atomic import write_json

_LOGGER = logging.getLogger(__name__)

FILE_NAME = "postprocess.json"


@dataclasses.dataclass(frozen=True)
class Calibration:
    """How a checkpoint's probabilities become masks, and how that was chosen.

    Attributes:
        checkpoint: fingerprint of the one that it was chosen for.
        chosen: what was chosen.
        patients: on whom: none that was trained or is tested on.
        score: mean Dice of these with what was chosen.
        usual_score: and with the defaults.
        liver_checkpoint: at the tumour stage, fingerprint of the liver network that it was
            chosen with.
    """

    checkpoint: str
    chosen: Postprocess
    patients: tuple[str, ...]
    score: float
    usual_score: float
    liver_checkpoint: str = ""


def write_calibration(run: Path, calibration: Calibration) -> None:
    """Writes `postprocess.json` into a run's workdir, whole or not at all."""
    write_json(run / FILE_NAME, to_dict(calibration))


def read_calibration(run: Path) -> Calibration | None:
    """What was chosen for the run in `run`; None where nothing was.

    Raises:
        CheckpointError: the file is damaged, or holds an impossible value; names the field.
    """
    path = run / FILE_NAME
    if not path.is_file():
        return None
    try:
        calibration = calibration_from(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, RecursionError, ConfigError) as error:
        raise CheckpointError(
            f"{path}: damaged ({error}); delete it to use the defaults, or choose anew with "
            "experiments.calibrate"
        ) from error
    return calibration


def calibration_from(found: Any) -> Calibration:
    """A calibration from what JSON holds of it, see `liverjax.config_json.to_dict`.

    Raises:
        ConfigError: an impossible value; names the field.
    """
    calibration = from_dict(Calibration, found, FILE_NAME)
    _check(calibration.chosen)
    return calibration


def find_calibration(run: Path, checkpoint: str) -> Calibration | None:
    """What was chosen for the checkpoint of this fingerprint; see `read_calibration`."""
    calibration = read_calibration(run)
    if calibration is not None and calibration.checkpoint != checkpoint:
        _LOGGER.warning(
            "%s: chosen for another checkpoint than the one that is used, so the defaults are "
            "taken; choose anew with experiments.calibrate",
            run / FILE_NAME,
        )
        return None
    return calibration


def _check(chosen: Postprocess) -> None:
    if not 0 < chosen.threshold < 1:
        raise ConfigError(f"threshold: expected more than 0 and less than 1: {chosen.threshold}")
    if chosen.min_voxels < 0 or not 0 <= chosen.min_ml < float("inf"):
        raise ConfigError("min_voxels, min_ml: expected at least 0, and finite")
    if not 0 <= chosen.min_liver_ml < float("inf"):
        raise ConfigError("min_liver_ml: expected at least 0, and finite")
    if not 0 <= chosen.min_certain <= 1:
        raise ConfigError(f"min_certain: expected at least 0 and at most 1: {chosen.min_certain}")
