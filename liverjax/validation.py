"""Which values of a configuration a run can use."""

from collections.abc import Sequence
from typing import Any

from liverjax.config import ExperimentConfig, from_dict, to_dict
from liverjax.errors import ConfigError

# Field, what must hold of its value, and how that is said.
_AT_LEAST_ONE = ("epochs", "batch_size", "preprocess.size", "preprocess.channels")
_NOT_NEGATIVE = (
    "seed",
    "preprocess.roi_margin",
    "preprocess.roi_dilation",
    "augment.rotation",
    "augment.shift",
    "augment.brightness",
    "augment.contrast",
    "augment.noise",
    "optimizer.weight_decay",
)
_FRACTIONS = (
    "augment.zoom",
    "model.momentum",
    "optimizer.warmup_fraction",
    "preprocess.roi_min_side",
)


def validate(config: ExperimentConfig) -> None:
    """Refuses types and values that no run could use.

    Raises:
        ConfigError: names the field, what was found and what is possible.
    """
    # Flags reach the fields unchecked; the round trip through JSON checks every type.
    from_dict(ExperimentConfig, to_dict(config))
    for path in _AT_LEAST_ONE:
        _expect(_get(config, path) >= 1, path, "at least 1", _get(config, path))
    for path in _NOT_NEGATIVE:
        _expect(_get(config, path) >= 0, path, "at least 0", _get(config, path))
    for path in _FRACTIONS:
        inside = 0 <= _get(config, path) < 1
        _expect(inside, path, "at least 0 and less than 1", _get(config, path))
    _check_features(config.model.features, config.preprocess.size)
    low, high = config.preprocess.window_low, config.preprocess.window_high
    _expect(low < high, "preprocess.window_low", f"less than window_high ({high})", low)
    rate = config.optimizer.learning_rate
    _expect(rate > 0, "optimizer.learning_rate", "more than 0", rate)


def _check_features(features: Sequence[int], size: int) -> None:
    enough = len(features) >= 2 and min(features) >= 1
    _expect(enough, "model.features", "two or more positive widths", tuple(features))
    steps = 2 ** (len(features) - 1)
    wanted = f"a multiple of {steps} for the {len(features)} levels of model.features"
    _expect(size % steps == 0, "preprocess.size", wanted, size)


def _get(config: Any, path: str) -> Any:
    for name in path.split("."):
        config = getattr(config, name)
    return config


def _expect(holds: bool, path: str, wanted: str, found: Any) -> None:
    if not holds:
        raise ConfigError(f"config.{path}: expected {wanted}, found {found}")
