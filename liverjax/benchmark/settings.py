"""What a benchmark run is asked for."""

import dataclasses
import enum
from pathlib import Path

from liverjax.choices import Precision
from liverjax.config import ModelConfig


class TorchMode(enum.Enum):
    """Ways to run a PyTorch network; each is a contender.

    EAGER: as written, in the layout of PyTorch's tensors; CHANNELS_LAST: with the channel as the
    fastest axis; COMPILED: that under `torch.compile`; AUTOCAST: CHANNELS_LAST with bfloat16
    arithmetic; COMPILED_AUTOCAST: both.
    """

    EAGER = "eager"
    CHANNELS_LAST = "channels_last"
    COMPILED = "compiled"
    AUTOCAST = "autocast"
    COMPILED_AUTOCAST = "compiled_autocast"

    @property
    def compiled(self) -> bool:
        """Whether it goes through `torch.compile`."""
        return self in (TorchMode.COMPILED, TorchMode.COMPILED_AUTOCAST)

    @property
    def autocast(self) -> bool:
        """Whether it computes in bfloat16."""
        return self in (TorchMode.AUTOCAST, TorchMode.COMPILED_AUTOCAST)


def name_of(mode: TorchMode) -> str:
    """What the contender is called."""
    return f"torch {mode.value}"


@dataclasses.dataclass(frozen=True)
class Settings:
    """Sizes and inputs shared by the benchmarks.

    Attributes:
        size: side of the network's input in pixels.
        batch_size: slices per batch.
        channels: of the network's input.
        features: width of the network's levels, from the finest.
        precision: what our network computes in.
        repeats: rounds, in each of which every contender has one turn.
        calls: units of work (steps, batches, volumes, folders) per turn; more of them where one
            is so short that waiting for its end would count.
        slices: of the volume in those benchmarks that work on one.
        seed: of weights, phantoms and augmentation.
        probability: with which each augmentation acts on a slice, in input_pipeline.
        peers: whether others are timed, too; without them nothing else need be installed.
        torch_modes: the PyTorch contenders.
        workers: numbers of MONAI's worker processes, each a contender.
        data: CT for input_pipeline and cascade: NIfTI file, DICOM folder or zip; None makes a
            phantom.
        dicom: folder with one DICOM series for the benchmark of that name; None writes a phantom.
        liver, tumor: workdirs of trained networks for cascade; None makes networks that find
            something but have learnt nothing.
        peak_tflops: of the device at `precision`, for the share of it that is used; 0 if unknown.
    """

    size: int = 256
    batch_size: int = 4
    channels: int = 3
    features: tuple[int, ...] = ModelConfig().features
    precision: Precision = Precision.FLOAT32
    repeats: int = 5
    calls: int = 1
    slices: int = 64
    seed: int = 0
    probability: float = 1.0
    peers: bool = True
    torch_modes: tuple[TorchMode, ...] = tuple(TorchMode)
    workers: tuple[int, ...] = (0, 2)
    data: Path | None = None
    dicom: Path | None = None
    liver: Path | None = None
    tumor: Path | None = None
    peak_tflops: float = 0.0

    @property
    def lower_precision(self) -> frozenset[str]:
        """PyTorch contenders that compute in fewer bits than ours."""
        if self.precision is not Precision.FLOAT32:
            return frozenset()
        return frozenset(name_of(mode) for mode in self.torch_modes if mode.autocast)

    def rounds(self, name: str) -> Precision:
        """To what the contender `name` or ours rounds, whichever is coarser."""
        return Precision.BFLOAT16 if name in self.lower_precision else self.precision
