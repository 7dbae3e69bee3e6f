"""How much of an epoch on slices that lie on the device is spent outside the training step."""

from collections.abc import Callable

import jax
import numpy as np

from liverjax.benchmark.comparison import Comparison
from liverjax.benchmark.input_pipeline import augment_config, preprocess_config, steps_per_epoch
from liverjax.benchmark.settings import Settings
from liverjax.benchmark.timing import Contender, interleave, spread
from liverjax.benchmark.workload import Scan, load_scan, model_config
from liverjax.config import ExperimentConfig
from liverjax.datasets.in_memory import InMemorySource
from liverjax.datasets.order import Sampling
from liverjax.training.devices import all_devices
from liverjax.training.metrics import accumulate
from liverjax.training.program import build_program
from liverjax.training.resident import ResidentFeed

NAME = "epoch"


def compare_epoch(settings: Settings) -> Comparison:
    """Epochs of `settings.slices` slices against as many steps with nothing between them."""
    scan = load_scan(settings)
    epoch, steps = epoch_and_steps(settings, scan)
    contenders = [Contender("epoch", epoch), Contender("steps alone", steps)]
    whole, bare = interleave(contenders, settings.repeats, settings.calls)
    items = steps_per_epoch(scan, settings) * settings.batch_size
    shares = spread(
        [share_outside_step(*pair) for pair in zip(whole.seconds, bare.seconds, strict=True)]
    )
    facts = {"data": scan.source, "share outside the step": shares.median}
    return Comparison(NAME, "slices/s", items, (whole, bare), facts=facts)


def share_outside_step(epoch_s: float, steps_s: float) -> float:
    """Part of an epoch that is not its steps: 1 - steps / epoch; noise can make it negative.

    Args:
        epoch_s: seconds of an epoch of n steps as training runs it.
        steps_s: seconds of n steps on one batch, without anything between them.
    """
    return 1.0 - steps_s / epoch_s


def epoch_and_steps(
    settings: Settings, scan: Scan
) -> tuple[Callable[[int], None], Callable[[int], None]]:
    """Epochs as training runs them over a scan's slices, and as many steps on one batch.

    Both augment, window and update in one program. An epoch besides draws an order, gathers
    each batch from the slices, and adds up what the steps report.
    """
    config = ExperimentConfig(
        seed=settings.seed,
        batch_size=settings.batch_size,
        preprocess=preprocess_config(settings),
        model=model_config(settings),
        augment=augment_config(),
    )
    count, devices = steps_per_epoch(scan, settings), all_devices()
    source = InMemorySource(
        scan.volume.hu[..., None],
        scan.labels[..., None],
        batch_size=settings.batch_size,
        sampling=Sampling(settings.seed),
    )
    program = build_program(config, 1000 * count, devices.everywhere)
    feed = ResidentFeed(config, program, source, None, devices)
    step = jax.jit(program.train_step, donate_argnums=0, out_shardings=devices.everywhere)
    example = jax.jit(program.to_example)(next(source.train_batches(0)))
    held = {"epochs": jax.tree.map(lambda leaf: leaf.copy(), program.state), "steps": program.state}
    epoch = [0]

    def run_epochs(calls: int) -> None:
        """Whole epochs by the feed."""
        for _ in range(calls):
            totals = np.zeros(5)
            for after, sums in feed.train(held["epochs"], epoch[0], 0):
                held["epochs"], totals = after, accumulate(totals, sums)
            epoch[0] += 1

    def run_steps(calls: int) -> None:
        """As many steps on one batch."""
        for _ in range(calls * count):
            held["steps"], _ = step(held["steps"], example)
        jax.block_until_ready(held["steps"])

    return run_epochs, run_steps
