"""Times liverjax beside its peers, in turns: see experiments/BENCHMARKS.md.

python -m experiments.benchmark [--only=train_step,inference,...] [--output=FILE.json]
"""

from pathlib import Path

from absl import flags

from liverjax.benchmark import suite
from liverjax.benchmark.machine import describe_machine, share_machine
from liverjax.benchmark.report import format_comparison, write_json
from liverjax.benchmark.settings import Settings, TorchMode
from liverjax.choices import Precision
from liverjax.commands import app

_DEFAULT = Settings()
_ONLY = flags.DEFINE_list("only", [], f"Some of {', '.join(suite.BENCHMARKS)}; else all.")
_OUTPUT = flags.DEFINE_string("output", None, "JSON file for all figures.")
_SIZE = flags.DEFINE_integer("size", _DEFAULT.size, "Side of the network's input.", 1)
_BATCH = flags.DEFINE_integer("batch_size", _DEFAULT.batch_size, "Slices per batch.", 1)
_CHANNELS = flags.DEFINE_integer("channels", _DEFAULT.channels, "Channels of the input.", 1)
_FEATURES = flags.DEFINE_list(
    "features", [str(width) for width in _DEFAULT.features], "Width of each level."
)
_PRECISION = flags.DEFINE_enum_class("precision", _DEFAULT.precision, Precision, "Of ours.")
_REPEATS = flags.DEFINE_integer("repeats", _DEFAULT.repeats, "Rounds of turns.", 1)
_CALLS = flags.DEFINE_integer("calls", _DEFAULT.calls, "Units of work per turn.", 1)
_SLICES = flags.DEFINE_integer("slices", _DEFAULT.slices, "Slices of a volume.", 1)
_CHANCE = flags.DEFINE_float("probability", _DEFAULT.probability, "Of augmentation.", 0, 1)
_PEERS = flags.DEFINE_bool("peers", _DEFAULT.peers, "Whether others are timed, too.")
_TORCH = flags.DEFINE_multi_enum_class(
    "torch", list(_DEFAULT.torch_modes), TorchMode, "Ways to run PyTorch; repeat for several."
)
_WORKERS = flags.DEFINE_list(
    "workers", [str(count) for count in _DEFAULT.workers], "MONAI's worker processes."
)
_DATA = flags.DEFINE_string("data", None, "CT for input_pipeline and cascade; else a phantom.")
_DICOM = flags.DEFINE_string("dicom", None, "Folder of one DICOM series; else a phantom.")
_LIVER = flags.DEFINE_string("liver", None, "Workdir of a liver network for cascade.")
_TUMOR = flags.DEFINE_string("tumor", None, "Workdir of a tumour network for cascade.")
_PEAK = flags.DEFINE_float("peak_tflops", 0.0, "Of the device, to state which share is used.")


def main() -> None:
    share_machine()
    settings = Settings(
        size=_SIZE.value,
        batch_size=_BATCH.value,
        channels=_CHANNELS.value,
        features=tuple(int(width) for width in _FEATURES.value),
        precision=_PRECISION.value,
        repeats=_REPEATS.value,
        calls=_CALLS.value,
        slices=_SLICES.value,
        probability=_CHANCE.value,
        peers=_PEERS.value,
        torch_modes=tuple(_TORCH.value),
        workers=tuple(int(count) for count in _WORKERS.value),
        data=_path(_DATA),
        dicom=_path(_DICOM),
        liver=_path(_LIVER),
        tumor=_path(_TUMOR),
        peak_tflops=_PEAK.value,
    )
    done = []
    for comparison in suite.run(settings, _ONLY.value):
        print(format_comparison(comparison), flush=True)
        done.append(comparison)
        if _OUTPUT.value is not None:
            write_json(app.path(_OUTPUT), done, describe_machine())


def _path(flag: flags.FlagHolder[str | None]) -> Path | None:
    return None if flag.value is None else app.path(flag)


if __name__ == "__main__":
    app.run(main)
