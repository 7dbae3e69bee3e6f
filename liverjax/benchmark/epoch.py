"""How much of an epoch on slices that lie on the device is spent outside the training step."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from liverjax.benchmark.comparison import Comparison
from liverjax.benchmark.input_pipeline import (
    Resident,
    augment_config,
    augmented_input,
    preprocess_config,
    resident_slices,
    steps_per_epoch,
)
from liverjax.benchmark.settings import Settings
from liverjax.benchmark.timing import Contender, interleave, spread
from liverjax.benchmark.train_step import State, initial_state, update
from liverjax.benchmark.workload import Scan, load_scan, model_config
from liverjax.models.build import build

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
    """Epochs over a scan's slices on the device, and as many steps on one batch.

    The step augments, windows and updates in one program. An epoch besides draws an order,
    gathers each batch from the slices, and reads the losses at its end.
    """
    resident = resident_slices(scan, preprocess_config(settings))
    count = settings.batch_size
    steps = steps_per_epoch(scan, settings)
    first = jax.tree.map(lambda array: array[:count], resident)
    step, held = _step(settings)
    rng = np.random.default_rng(settings.seed)

    def run_epochs(calls: int) -> None:
        for _ in range(calls):
            order = rng.permutation(len(resident.image))[: steps * count]
            losses = []
            for index, chosen in enumerate(order.reshape(steps, count)):
                held[0], loss = step(held[0], _rows(resident, chosen), np.uint32(index))
                losses.append(loss)
            float(np.mean(jax.device_get(losses)))

    def run_steps(calls: int) -> None:
        for index in range(calls * steps):
            held[0], _ = step(held[0], first, np.uint32(index))
        jax.block_until_ready(held[0])

    return run_epochs, run_steps


@jax.jit
def _rows(resident: Resident, chosen: jax.Array) -> Resident:
    return jax.tree.map(lambda array: array[chosen], resident)


def _step(
    settings: Settings,
) -> tuple[Callable[[State, Resident, np.uint32], tuple[State, jax.Array]], list[State]]:
    """A jitted step from HU to updated weights, and its first state in a list of one."""
    preprocess = preprocess_config(settings)
    make = partial(augmented_input, preprocess=preprocess, augment=augment_config())
    model = build(model_config(settings))
    example = jnp.zeros((1, settings.size, settings.size, preprocess.input_channels))
    init_key, key = jax.random.split(jax.random.key(settings.seed))
    variables = jax.jit(partial(model.init, train=False))(init_key, example)

    def step(state: State, rows: Resident, index: jax.Array) -> tuple[State, jax.Array]:
        inputs, masks = make(jax.random.fold_in(key, index), rows.image, rows.masks)
        return update(model, state, inputs, masks[..., 1:])

    return jax.jit(step, donate_argnums=0), [initial_state(variables)]
