"""Augmented batches, ready for the network on its device, from slices held in memory."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from liverjax.augment_config import AugmentConfig
from liverjax.benchmark.comparison import OURS, Comparison
from liverjax.benchmark.settings import Settings
from liverjax.benchmark.timing import Contender, interleave
from liverjax.benchmark.workload import Scan, load_scan
from liverjax.choices import Stage
from liverjax.config import PreprocessConfig
from liverjax.errors import BenchmarkError
from liverjax.preprocess.grid import Example
from liverjax.preprocess.stages import build_preprocess
from liverjax.training.augment.build import build_augment

NAME = "input_pipeline"
_BATCH = 8


def compare_input_pipeline(settings: Settings) -> Comparison:
    """Ours against MONAI's CacheDataset and DataLoader, over epochs of the same slices.

    A unit of work is an epoch in an order of its own, with new random draws; it ends when its
    last batch is on the device. Both crop and resize the slices once, before anything is timed.
    Results differ as the draws do, so no agreement can be checked beyond the shapes.

    Raises:
        BenchmarkError: MONAI is missing, or there are fewer slices than fill one batch.
    """
    scan, preprocess = load_scan(settings), preprocess_config(settings)
    augment = augment_config(settings.probability)
    steps = steps_per_epoch(scan, settings)
    resident = resident_slices(scan, preprocess)
    contenders = [our_contender(resident, steps, preprocess, augment, settings)]
    if settings.peers:
        from liverjax.benchmark import monai_pipeline

        for workers in settings.workers:
            loader = monai_pipeline.build_loader(scan, preprocess, augment, settings, workers)
            run = partial(monai_pipeline.run_epochs, loader)
            contenders.append(Contender(f"monai, {workers} workers", run))
    timings = interleave(contenders, settings.repeats, settings.calls)
    items = steps * settings.batch_size
    return Comparison(NAME, "slices/s", items, tuple(timings), facts={"data": scan.source})


def steps_per_epoch(scan: Scan, settings: Settings) -> int:
    """Full batches in a scan.

    Raises:
        BenchmarkError: there is none.
    """
    steps = len(scan.labels) // settings.batch_size
    if not steps:
        raise BenchmarkError(
            f"--slices: {len(scan.labels)} slices do not fill a batch of {settings.batch_size}"
        )
    return steps


def augment_config(probability: float = 1.0) -> AugmentConfig:
    """Rotation, zoom and shift, flips, gamma and noise: what both sides have.

    MONAI draws once whether to apply rotation, zoom and shift together, we draw for each.
    """
    return AugmentConfig(
        rotation_probability=probability,
        zoom_probability=probability,
        shift_probability=probability,
        flip=True,
        gamma=0.3,
        gamma_probability=probability,
        brightness=0.0,
        contrast=0.0,
        noise_probability=probability,
    )


def preprocess_config(settings: Settings) -> PreprocessConfig:
    """The whole slice in one channel."""
    return PreprocessConfig(size=settings.size)


def resident_slices(scan: Scan, config: PreprocessConfig) -> Example:
    """All slices of a scan as the liver's network sees them."""
    to_example = jax.jit(build_preprocess(config, Stage.LIVER).to_example)
    hu, labels = scan.volume.hu[..., None], scan.labels[..., None]
    parts = [
        to_example({"image": hu[i : i + _BATCH], "label": labels[i : i + _BATCH]})
        for i in range(0, len(hu), _BATCH)
    ]
    return jax.tree.map(lambda *arrays: jnp.concatenate(arrays), *parts)


def augmented_input(
    key: jax.Array, example: Example, *, preprocess: PreprocessConfig, augment: AugmentConfig
) -> tuple[jax.Array, jax.Array]:
    """Augments and windows a batch as the training step does.

    Returns:
        Network input float32 [B, S, S, 1], and target float32 [B, S, S, 1].
    """
    change = build_augment(augment, Stage.LIVER)
    image, masks = change(key, example.image.astype(jnp.float32), example.masks)
    inputs = build_preprocess(preprocess, Stage.LIVER).to_input(image, masks[..., :1])
    return inputs, masks[..., 1:].astype(jnp.float32)


def our_contender(
    resident: Example,
    steps: int,
    preprocess: PreprocessConfig,
    augment: AugmentConfig,
    settings: Settings,
) -> Contender:
    """Epochs over slices on the device: order from the host, everything else in one program."""
    key, epoch = jax.random.key(settings.seed), [0]
    make = partial(augmented_input, preprocess=preprocess, augment=augment)

    @jax.jit
    def batch(resident: Example, chosen: jax.Array, step: jax.Array) -> tuple[jax.Array, ...]:
        rows = jax.tree.map(lambda array: array[chosen], resident)
        return make(jax.random.fold_in(key, step), rows)

    def run(calls: int) -> None:
        """Epochs of batches, each in an order of its own."""
        for _ in range(calls):
            rng = np.random.default_rng((settings.seed, epoch[0]))
            order = rng.permutation(len(resident.image))[: steps * settings.batch_size]
            batches = [
                batch(resident, chosen, np.uint32(epoch[0] * steps + step))
                for step, chosen in enumerate(order.reshape(steps, settings.batch_size))
            ]
            jax.block_until_ready(batches)
            epoch[0] += 1

    return Contender(OURS, run)
