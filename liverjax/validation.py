"""Which values of a configuration a run can use."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from liverjax.augment_config import TRANSFORMS, AugmentConfig
from liverjax.choices import Protocol, Recipe, Stage
from liverjax.config import ExperimentConfig, PreprocessConfig
from liverjax.config_json import from_dict, to_dict
from liverjax.errors import ConfigError
from liverjax.protocol import CrossValidationConfig

# Field, what must hold of its value, and how that is said.
_AT_LEAST_ONE = (
    "epochs",
    "batch_size",
    "evaluate_every",
    "preprocess.size",
    "pretrain.size",
    "preprocess.channels",
    "optimizer.accumulate",
)
_NOT_NEGATIVE = (
    "seed",
    "patience",
    "pretrain.epochs",
    "preprocess.neighbors",
    "preprocess.pixel_mm",
    "preprocess.roi_margin",
    "preprocess.roi_dilation",
    "augment.rotation",
    "augment.shear",
    "augment.shift",
    "augment.elastic",
    "augment.blur",
    "augment.gamma",
    "augment.brightness",
    "augment.noise",
    "augment.phase",
    "augment.slice_thickness",
    "augment.field_of_view",
    "augment.lesions",
    "augment.parenchyma",
    "model.deep_supervision",
    "optimizer.weight_decay",
    "optimizer.clip_norm",
)
_FRACTIONS = (
    "augment.zoom",
    "augment.low_resolution",
    "model.momentum",
    "optimizer.ema_decay",
    "optimizer.warmup_fraction",
    "preprocess.roi_min_side",
    "preprocess.relative_quantile",
)
# Beyond these a run would take no end of memory or time, or see nothing of its slices.
_MOST = {
    "seed": 2**32 - 1,
    "preprocess.neighbors": 16,
    "augment.rotation": 180.0,
    "augment.shift": 1.0,
    "augment.blur": 16.0,
    "augment.gamma": 9.0,
    "augment.phase": 2.0,
    "augment.slice_thickness": 2.0,
    "augment.field_of_view": 0.45,
    "augment.lesions": 8,
    "augment.parenchyma": 200.0,
}
_SHARES = (
    "tumor_share",
    "liver_share",
    "patient_balance",
    "augment.contrast",
    "augment.gamma_inverted",
    *(f"augment.{name}_probability" for name in TRANSFORMS),
)
_THESIS_FIELDS = ("resize_filter",)
_WINDOW_FIELDS = (
    "window_low",
    "window_high",
    "relative",
    "relative_quantile",
    "pixel_mm",
    "roi_margin",
    "roi_min_side",
    "roi_dilation",
)
# Beyond this fraction of the distance of its control points a cubic B-spline may fold the
# image over itself (Choi and Lee, Graphical Models 62, 2000: 1 / 2.046 in two dimensions).
_MOST_BEND = 0.48


def validate(config: ExperimentConfig) -> None:
    """Refuses types and values that no run could use.

    Raises:
        ConfigError: names the field, what was found and what is possible.
    """
    # Flags reach the fields unchecked; the round trip through JSON checks every type.
    from_dict(ExperimentConfig, to_dict(config))
    _check_finite(to_dict(config), "")
    for path in _AT_LEAST_ONE:
        _expect(_get(config, path) >= 1, path, "at least 1", _get(config, path))
    for path in _NOT_NEGATIVE:
        _expect(_get(config, path) >= 0, path, "at least 0", _get(config, path))
    for path in _FRACTIONS:
        inside = 0 <= _get(config, path) < 1
        _expect(inside, path, "at least 0 and less than 1", _get(config, path))
    for path in _SHARES:
        inside = 0 <= _get(config, path) <= 1
        _expect(inside, path, "at least 0 and at most 1", _get(config, path))
    for path, most in _MOST.items():
        _expect(_get(config, path) <= most, path, f"at most {most}", _get(config, path))
    _check_augment(config.augment, config.preprocess.neighbors)
    _check_recipe(config)
    _check_shares(config)
    _check_features(config.model.features, "preprocess.size", config.preprocess.size)
    if config.pretrain.epochs:
        _check_features(config.model.features, "pretrain.size", config.pretrain.size)
    deepest = len(config.model.features) - 2
    coarser = config.model.deep_supervision
    wanted = f"at most {deepest} for the {deepest + 2} levels of model.features"
    _expect(coarser <= deepest, "model.deep_supervision", wanted, coarser)
    parts = config.optimizer.accumulate
    whole = f"a divisor of batch_size ({config.batch_size})"
    _expect(config.batch_size % parts == 0, "optimizer.accumulate", whole, parts)
    _check_window(config.preprocess)
    for path in ("optimizer.learning_rate", "optimizer.epsilon", "pretrain.learning_rate"):
        _expect(_get(config, path) > 0, path, "more than 0", _get(config, path))


def validate_protocol(config: CrossValidationConfig) -> None:
    """Refuses types and values that no cross-validation could use; see `validate`.

    Raises:
        ConfigError: names the field, what was found and what is possible.
    """
    from_dict(CrossValidationConfig, to_dict(config))
    for stage in Stage:
        experiment: ExperimentConfig = getattr(config, stage.value)
        where = f"{stage.value}."
        try:
            validate(experiment)
        except ConfigError as error:
            text = str(error).removeprefix("config.")
            raise ConfigError(f"config.{where}{text}") from error
        _expect(experiment.stage is stage, f"{where}stage", stage.value, experiment.stage.value)
        for side in ("train", "validation", "test"):
            named = getattr(experiment.dataset, side)
            wanted = "nobody, as the folds say who is on which side"
            _expect(not named, f"{where}dataset.{side}", wanted, named)
        _expect(not experiment.init_from, f"{where}init_from", "none", experiment.init_from)
    first, second = config.liver.dataset.name, config.tumor.dataset.name
    _expect(first == second, "tumor.dataset.name", f"that of the liver ({first})", second)
    inner = config.inner_folds
    _expect(inner == 0 or inner >= 2, "inner_folds", "0, or at least 2", inner)
    for path, least in (("folds", 2), ("validation", 0), ("seed", 0)):
        _expect(_get(config, path) >= least, path, f"at least {least}", _get(config, path))
    from_file = config.protocol is Protocol.FILE
    wanted = "a file" if from_file else f"none with protocol {config.protocol.value}"
    _expect(bool(config.splits) is from_file, "splits", wanted, config.splits or "none")
    for stage in Stage:
        thesis = getattr(config, stage.value).preprocess.recipe is Recipe.THESIS
        wanted = f"False, as {stage.value}.preprocess.recipe thesis has its threshold fixed"
        _expect(not (config.calibrate and thesis), "calibrate", wanted, config.calibrate)
    needed = not config.calibrate or config.validation > 0 or from_file
    _expect(needed, "validation", "at least 1 to calibrate on", config.validation)


def _check_finite(values: Mapping[str, Any], where: str) -> None:
    for name, value in values.items():
        if isinstance(value, Mapping):
            _check_finite(value, f"{where}{name}.")
        elif isinstance(value, float):
            _expect(math.isfinite(value), f"{where}{name}", "a finite number", value)


def _check_augment(augment: AugmentConfig, neighbors: int) -> None:
    """Shear and bending stop short of where a slice would be folded; one slice has no distance."""
    _expect(augment.shear < 45, "augment.shear", "less than 45 (degrees)", augment.shear)
    cell = augment.elastic_cell
    _expect(0.02 <= cell <= 1, "augment.elastic_cell", "at least 0.02 and at most 1", cell)
    wanted = f"at most {_MOST_BEND} of augment.elastic_cell ({cell})"
    _expect(augment.elastic <= _MOST_BEND * cell, "augment.elastic", wanted, augment.elastic)
    thickness, needs = augment.slice_thickness, augment.slice_thickness_probability > 0
    wanted = "0, as it needs preprocess.neighbors"
    _expect(
        neighbors > 0 or not (thickness and needs), "augment.slice_thickness", wanted, thickness
    )


def _check_window(preprocess: PreprocessConfig) -> None:
    """Refuses a window whose ends are swapped, and a quantile that HU are not counted from."""
    low, high = preprocess.window_low, preprocess.window_high
    _expect(low < high, "preprocess.window_low", f"less than window_high ({high})", low)
    quantile = preprocess.relative_quantile
    wanted = "0, as preprocess.relative is False"
    _expect(preprocess.relative or not quantile, "preprocess.relative_quantile", wanted, quantile)


def _check_shares(config: ExperimentConfig) -> None:
    """Batches are balanced for one thing at most, and for liver where slices without are seen."""
    for name in ("tumor_share", "liver_share", "patient_balance"):
        share = getattr(config, name)
        _expect(not (share and config.augment.copies), name, "0 with augment.copies", share)
    share = config.liver_share
    _expect(not (share and config.tumor_share), "liver_share", "0 with tumor_share", share)
    at_liver = config.stage is Stage.LIVER
    _expect(at_liver or not share, "liver_share", "0 at stage tumor", share)


def _check_recipe(config: ExperimentConfig) -> None:
    """Fields of the recipe that was not chosen would be disregarded."""
    thesis = config.preprocess.recipe is Recipe.THESIS
    usual, foreign = PreprocessConfig(), _WINDOW_FIELDS if thesis else _THESIS_FIELDS
    for name in foreign:
        found, unused = getattr(config.preprocess, name), getattr(usual, name)
        wanted = (
            f"{unused}, as preprocess.recipe {config.preprocess.recipe.value} has no use for it"
        )
        _expect(found == unused, f"preprocess.{name}", wanted, found)
    if thesis:
        for name in TRANSFORMS:
            strength = getattr(config.augment, name)
            on = bool(strength) and getattr(config.augment, f"{name}_probability") > 0
            # Its slices are no longer HU when the random transforms come.
            _expect(not on, f"augment.{name}", "none with preprocess.recipe thesis", strength)


def _check_features(features: Sequence[int], path: str, size: int) -> None:
    enough = len(features) >= 2 and min(features) >= 1
    _expect(enough, "model.features", "two or more positive widths", tuple(features))
    steps = 2 ** (len(features) - 1)
    wanted = f"a multiple of {steps} for the {len(features)} levels of model.features"
    _expect(size % steps == 0, path, wanted, size)


def _get(config: Any, path: str) -> Any:
    for name in path.split("."):
        config = getattr(config, name)
    return config


def _expect(holds: bool, path: str, wanted: str, found: Any) -> None:
    if not holds:
        raise ConfigError(f"config.{path}: expected {wanted}, found {found}")
