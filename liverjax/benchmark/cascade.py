"""A whole volume through both networks, from HU to labels."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from liverjax.benchmark.comparison import OURS, Comparison, check_close
from liverjax.benchmark.settings import Settings, name_of
from liverjax.benchmark.timing import Contender, interleave
from liverjax.benchmark.workload import Scan, load_scan
from liverjax.checkpoint import Saved, open_checkpoints
from liverjax.choices import Network, Precision, Stage
from liverjax.config import ExperimentConfig, ModelConfig, PreprocessConfig
from liverjax.config_json import to_dict
from liverjax.errors import BenchmarkError
from liverjax.evaluation.confusion import count
from liverjax.inference.cascade import load_cascade
from liverjax.inference.load import load_network
from liverjax.inference.predict import predict_volume
from liverjax.labels import liver_mask, tumor_mask
from liverjax.models.build import build
from liverjax.volume import Segmentation, Volume

NAME = "cascade"
# Share of the voxels it may look at that an untrained network is made to find.
_FOUND = {Stage.LIVER: 0.1, Stage.TUMOR: 0.1}
_DICE_TOLERANCE = 0.01


def compare_cascade(settings: Settings) -> Comparison:
    """`liverjax.inference.cascade` against the same two stages under PyTorch.

    Both load the same two checkpoints, take the same batches of slices, resample by the same
    rule and share post-processing. A unit of work is the whole volume.

    Raises:
        BenchmarkError: PyTorch is missing, the segmentations differ, or one network is not given.
        CheckpointError: `settings.liver` or `settings.tumor` is no such run.
    """
    scan = load_scan(settings)
    with networks(settings, scan) as (liver, tumor):
        contender, last = contender_of(OURS, load_cascade(liver, tumor), scan.volume)
        contenders, results = [contender], {OURS: last}
        if settings.peers:
            from liverjax.benchmark import torch_cascade

            for mode in settings.torch_modes:
                peer = torch_cascade.load_cascade(liver, tumor, mode)
                contender, last = contender_of(name_of(mode), peer, scan.volume)
                contenders.append(contender)
                results[contender.name] = last
        timings = interleave(contenders, settings.repeats, settings.calls)
    ours = results[OURS][0]
    facts: dict[str, Any] = {
        "data": scan.source,
        "weights": "untrained" if settings.liver is None else "trained",
        "voxels of liver, tumour": f"{ours.liver.sum()}, {ours.tumor.sum()}",
    }
    agreement = {}
    for name, found in results.items():
        if name != OURS:
            facts[f"Dice of {name} with ours"] = overlap = _overlap(found[0], ours)
            most = 1.0 if settings.rounds(name) is Precision.BFLOAT16 else _DICE_TOLERANCE
            agreement[name] = check_close("1 - Dice", name, 1.0 - overlap, 0.0, most)
    return Comparison(
        NAME,
        "slices/s",
        len(scan.labels),
        tuple(timings),
        agreement,
        facts,
        settings.lower_precision,
    )


def contender_of(
    name: str, segment: Callable[[Volume], Segmentation], volume: Volume
) -> tuple[Contender, list[Segmentation]]:
    """A cascade on a volume; the list holds its last result."""
    last: list[Segmentation] = []

    def run(calls: int) -> None:
        for _ in range(calls):
            last[:] = [segment(volume)]

    return Contender(name, run), last


@contextlib.contextmanager
def networks(settings: Settings, scan: Scan) -> Iterator[tuple[Path, Path]]:
    """Workdirs of the liver's and the tumours' network: those given, or untrained ones."""
    if (settings.liver is None) != (settings.tumor is None):
        raise BenchmarkError("--liver and --tumor: expected both or neither, found one")
    if settings.liver is not None and settings.tumor is not None:
        yield settings.liver, settings.tumor
        return
    with tempfile.TemporaryDirectory() as temporary:
        runs = {stage: Path(temporary) / stage.value for stage in Stage}
        for stage, run in runs.items():
            _write_untrained(run, experiment(settings, stage), scan)
        yield runs[Stage.LIVER], runs[Stage.TUMOR]


def experiment(settings: Settings, stage: Stage) -> ExperimentConfig:
    """The thesis' network for the liver; a U-Net of its widths, on crops, for tumours."""
    tumor = stage is Stage.TUMOR
    window = (-120.0, 120.0) if tumor else (-100.0, 400.0)
    return ExperimentConfig(
        stage=stage,
        seed=settings.seed,
        preprocess=PreprocessConfig(
            size=settings.size, window_low=window[0], window_high=window[1], relative=tumor
        ),
        model=ModelConfig(
            network=Network.UNET if tumor else Network.RESUNET,
            features=settings.features,
            precision=settings.precision,
        ),
    )


def _write_untrained(run: Path, config: ExperimentConfig, scan: Scan) -> None:
    """A checkpoint with initial weights whose last bias makes the network find something.

    Without it the masks would be empty or full, and half of the cascade would have no work.
    """
    model, size = build(config.model), config.preprocess.size
    example = jnp.zeros((1, size, size, config.preprocess.input_channels), jnp.float32)
    variables = jax.jit(partial(model.init, train=False))(jax.random.key(config.seed), example)
    _save(run / "first", variables, config)
    network = load_network(run / "first", config.stage)
    middle = slice(len(scan.labels) // 2, len(scan.labels) // 2 + 1)
    volume = Volume(scan.volume.hu[middle], scan.volume.geometry)
    inside = scan.labels[middle] > 0
    probability = predict_volume(network, volume, None if config.stage is Stage.LIVER else inside)
    seen = probability if config.stage is Stage.LIVER else probability[inside]
    level = float(np.quantile(seen, 1.0 - _FOUND[config.stage]).clip(1e-6, 1 - 1e-6))
    bias = variables["params"]["head"]["bias"]
    variables["params"]["head"]["bias"] = bias - np.log(level / (1.0 - level))
    _save(run, variables, config)


def _save(run: Path, variables: Any, config: ExperimentConfig) -> None:
    model = {"params": variables["params"], "batch_stats": variables.get("batch_stats", {})}
    training = {"step": np.zeros((), np.int32)}
    with open_checkpoints(run) as checkpoints:
        checkpoints.save(0, Saved(model, training, to_dict(config), {}, {}), None)


def _overlap(found: Segmentation, ours: Segmentation) -> float:
    """The lower Dice of liver and tumour between two segmentations; two empty masks agree."""
    values = []
    for part in (liver_mask, tumor_mask):
        value = count(part(found.labels), part(ours.labels)).dice
        values.append(float(not part(found.labels).any()) if value is None else value)
    return min(values)
