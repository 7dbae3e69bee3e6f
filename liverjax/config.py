"""Typed configuration of one experiment, and its strict round trip through JSON."""

import dataclasses
import enum
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from liverjax.errors import ConfigError

T = TypeVar("T")


class Stage(enum.Enum):
    """Which of the two networks an experiment trains."""

    LIVER = "liver"
    TUMOR = "tumor"


class Network(enum.Enum):
    """Architectures in `liverjax.models`."""

    RESUNET = "resunet"
    UNET = "unet"


class Loss(enum.Enum):
    """Losses in `liverjax.training.losses`."""

    DICE = "dice"
    CROSS_ENTROPY = "cross_entropy"
    DICE_CROSS_ENTROPY = "dice_cross_entropy"


@dataclasses.dataclass
class DatasetConfig:
    """What is read: a prepared dataset, and its patients on each side, e.g. "patient04".

    Where the dataset lies is no part of an experiment: it may move between two runs.
    """

    name: str = "ircadb"
    train: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()


@dataclasses.dataclass
class PreprocessConfig:
    """From HU slices to network input.

    Attributes:
        size: side in pixels of the square network input.
        window_low, window_high: HU that become 0 and 1.
        relative: whether these HU are counted from the mean of the slice's region. The contrast
            phase moves the whole liver by tens of HU; a tumour shows by its difference to it.
        channels: how often the grey slice is stacked.
        roi_margin: tumour stage: border around the liver's box, as a fraction of its side.
        roi_min_side: tumour stage: smallest side of the crop, as a fraction of the slice's.
        roi_dilation: tumour stage: network pixels by which the liver mask is widened before
            everything outside it is blanked, for livers that were segmented too tightly.
    """

    size: int = 256
    window_low: float = -100.0
    window_high: float = 400.0
    channels: int = 1
    relative: bool = False
    roi_margin: float = 0.1
    roi_min_side: float = 0.25
    roi_dilation: int = 2


@dataclasses.dataclass
class ModelConfig:
    """Network and its size.

    Attributes:
        network: the architecture.
        features: width per level, from the finest; their number is the number of levels.
        momentum: of batch norm's running statistics, where the network has them. Short runs
            want less than the default, or the statistics lag behind the weights.
    """

    network: Network = Network.RESUNET
    features: tuple[int, ...] = (16, 32, 64, 128, 256)
    momentum: float = 0.99


@dataclasses.dataclass
class AugmentConfig:
    """Ranges of the random transforms, all symmetric around "unchanged"; 0 switches one off.

    Attributes:
        rotation: degrees.
        zoom: relative change of size.
        shift: fraction of the image side.
        brightness: HU added.
        contrast: relative change of HU around the window's centre.
        noise: standard deviation in HU, drawn per slice from 0 to this.
        flip: whether slices are mirrored left-right half of the time.
    """

    rotation: float = 10.0
    zoom: float = 0.1
    shift: float = 0.05
    brightness: float = 15.0
    contrast: float = 0.1
    noise: float = 10.0
    flip: bool = False


@dataclasses.dataclass
class OptimizerConfig:
    """AdamW under a linear warm-up and a cosine decay to zero."""

    learning_rate: float = 1e-3
    warmup_fraction: float = 0.05
    weight_decay: float = 1e-4


@dataclasses.dataclass
class ExperimentConfig:
    """One training run: everything that decides its result."""

    stage: Stage = Stage.LIVER
    seed: int = 0
    epochs: int = 20
    batch_size: int = 8
    loss: Loss = Loss.DICE_CROSS_ENTROPY
    dataset: DatasetConfig = dataclasses.field(default_factory=DatasetConfig)
    preprocess: PreprocessConfig = dataclasses.field(default_factory=PreprocessConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    augment: AugmentConfig = dataclasses.field(default_factory=AugmentConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)


def to_dict(config: Any) -> dict[str, Any]:
    """JSON-ready form of a configuration dataclass: enums by value, tuples as lists."""

    def plain(value: Any) -> Any:
        """`value`, however deep, in terms of JSON."""
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        if isinstance(value, enum.Enum):
            return value.value
        if isinstance(value, tuple | list):
            return [plain(item) for item in value]
        return value

    return plain(config)


def from_dict(kind: type[T], values: Mapping[str, Any], where: str = "config") -> T:
    """Inverse of `to_dict`; fields left out keep their defaults.

    Raises:
        ConfigError: an unknown field, or a value of another type; names the field.
    """
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise ConfigError(
            f"{where}.{unknown[0]}: no such field; {where} has {', '.join(sorted(hints))}"
        )
    return kind(
        **{name: _typed(hints[name], value, f"{where}.{name}") for name, value in values.items()}
    )


def _typed(hint: Any, value: Any, where: str) -> Any:
    """`value` from JSON as the type `hint` asks for: dataclass, enum, tuple or plain."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where}: expected fields of {hint.__name__}, found {value!r}")
        return from_dict(hint, value, where)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        choices = [member.value for member in hint]
        if value not in choices:
            raise ConfigError(f"{where}: expected one of {choices}, found {value!r}")
        return hint(value)
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{where}: expected a list, found {value!r}")
        item = typing.get_args(hint)[0]
        return tuple(_typed(item, part, f"{where}[{i}]") for i, part in enumerate(value))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not hint:
        raise ConfigError(f"{where}: expected {hint.__name__}, found {value!r}")
    return value


def differences(first: Any, second: Any, where: str = "config") -> list[str]:
    """The fields in which two configurations differ, each as "field: first -> second"."""
    if not dataclasses.is_dataclass(first):
        return [] if first == second else [f"{where}: {first} -> {second}"]
    return [
        line
        for field in dataclasses.fields(first)
        for line in differences(
            getattr(first, field.name), getattr(second, field.name), f"{where}.{field.name}"
        )
    ]
