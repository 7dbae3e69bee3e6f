"""Epochs on the device: every slice is loaded once, and the host only asks for steps."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from liverjax.batch import HostBatch
from liverjax.config import ExperimentConfig
from liverjax.preprocess.grid import Example
from liverjax.training.devices import Devices, put_batch
from liverjax.training.metrics import Sums, first_steps
from liverjax.training.prefetch import prefetch
from liverjax.training.program import Program
from liverjax.training.sources import BatchSource
from liverjax.training.state import TrainState

# Enough to hide the host's share of a step on a GPU, few enough to stop soon when asked to.
STEPS_PER_DISPATCH = 8


def steps_per_dispatch() -> int:
    """How many steps the host asks for at a time.

    One on a CPU: there the host's share is nothing beside a step, while inside of a loop XLA
    leaves its threaded convolutions unused and a step takes three times as long.
    """
    return 1 if jax.default_backend() == "cpu" else STEPS_PER_DISPATCH


class Slices(NamedTuple):
    """All slices of one side, on every device.

    Attributes:
        examples: leading axis of whole batches; what lies beyond `number` is padding.
        number: number of slices.
    """

    examples: Example
    number: int


class ResidentFeed:
    """See `liverjax.training.feed.TrainFeed`."""

    def __init__(
        self,
        config: ExperimentConfig,
        program: Program,
        train: BatchSource,
        validation: BatchSource | None,
        devices: Devices,
    ) -> None:
        self._source, self._steps = train, train.steps_per_epoch
        self._everywhere = devices.everywhere
        self._batch_size = config.batch_size
        self._slices = load_slices(program, train, config.batch_size, devices)
        jit = partial(jax.jit, out_shardings=devices.everywhere)
        self._group = steps_per_dispatch()
        run = train_steps if self._group > 1 else one_train_step
        self._run = jit(partial(run, program=program, devices=devices), donate_argnums=0)
        self._validation: Slices | None = None
        if validation is not None:
            self._validation = load_slices(program, validation, config.batch_size, devices)
            self._evaluate = jit(
                partial(
                    eval_steps,
                    program=program,
                    devices=devices,
                    count=self._validation.number,
                    batch_size=config.batch_size,
                ),
                static_argnames="batches",
            )

    def train(self, state: TrainState, epoch: int, start: int) -> Iterator[tuple[TrainState, Sums]]:
        """See `TrainFeed`."""
        plan = jax.device_put(self._source.plan(epoch), self._everywhere)
        for first in range(start, self._steps, self._group):
            number = min(self._group, self._steps - first)
            state, sums = self._run(state, self._slices.examples, plan, first, number)
            yield state, first_steps(sums, number)

    def evaluate(self, state: TrainState) -> Iterator[Sums]:
        """See `TrainFeed`."""
        if self._validation is not None:
            examples = self._validation.examples
            batches = len(examples.image) // self._batch_size
            group = 1 if self._group == 1 else batches
            for first in range(0, batches, group):
                yield self._evaluate(state, examples, first, batches=group)


def one_train_step(
    state: TrainState,
    examples: Example,
    plan: jax.Array,
    first: int,
    number: int,
    *,
    program: Program,
    devices: Devices,
) -> tuple[TrainState, Sums]:
    """`train_steps` for a single one, without a loop."""
    del number
    state, sums = program.train_step(state, _take(examples, plan[first], devices))
    return state, jax.tree.map(lambda leaf: leaf[None], sums)


def train_steps(
    state: TrainState,
    examples: Example,
    plan: jax.Array,
    first: int,
    number: int,
    *,
    program: Program,
    devices: Devices,
) -> tuple[TrainState, Sums]:
    """Up to `STEPS_PER_DISPATCH` updates in one dispatch.

    Args:
        state: before them.
        examples: all slices.
        plan: int32 [steps, B], the slices of each batch of the epoch.
        first: the first of these steps.
        number: how many; an argument, so that the last group of an epoch compiles nothing anew.
        program: of the experiment.
        devices: over which each batch is divided.

    Returns:
        The state after them, and sums [STEPS_PER_DISPATCH], of which the first `number` count.
    """

    def one(offset: jax.Array, carry: tuple[TrainState, Sums]) -> tuple[TrainState, Sums]:
        """One update."""
        state, sums = carry
        state, latest = program.train_step(state, _take(examples, plan[first + offset], devices))
        return state, jax.tree.map(lambda all_, one_: all_.at[offset].set(one_), sums, latest)

    begin = (state, Sums.zeros((STEPS_PER_DISPATCH,)))
    return jax.lax.fori_loop(0, number, one, begin)


def eval_steps(
    state: TrainState,
    examples: Example,
    first: int,
    *,
    batches: int,
    program: Program,
    devices: Devices,
    count: int,
    batch_size: int,
) -> Sums:
    """Sums [batches] over the slices in order, from batch `first` on, in one dispatch.

    Of `examples`, those from `count` on are padding.
    """

    def one(batch: jax.Array) -> Sums:
        """One batch."""
        rows = batch * batch_size + jnp.arange(batch_size)
        weight = (rows < count).astype(jnp.float32)
        return program.eval_step(state, _take(examples, rows, devices), weight)

    if batches == 1:  # without a loop, see `steps_per_dispatch`
        return jax.tree.map(lambda leaf: leaf[None], one(jnp.asarray(first)))
    return jax.lax.map(one, first + jnp.arange(batches))


def load_slices(program: Program, source: BatchSource, batch_size: int, devices: Devices) -> Slices:
    """Reads every slice of a source to every device, each process its own share of them."""
    batches = -(-source.num_slices // batch_size)
    to_example = jax.jit(program.to_example, out_shardings=devices.everywhere)
    store = jax.jit(_store, donate_argnums=0, out_shardings=devices.everywhere)
    kept = None
    for number, batch in enumerate(prefetch(source.eval_batches(), partial(_put, devices))):
        example = to_example(batch)
        if kept is None:
            kept = jax.jit(partial(_room, example, batches), out_shardings=devices.everywhere)()
        kept = store(kept, example, number * batch_size)
    assert kept is not None  # sources hold a slice at least
    return Slices(kept, source.num_slices)


def _put(devices: Devices, batch: HostBatch) -> dict[str, jax.Array]:
    return put_batch(batch, devices)


def _room(example: Example, batches: int) -> Example:
    return jax.tree.map(
        lambda leaf: jnp.zeros((batches * leaf.shape[0], *leaf.shape[1:]), leaf.dtype), example
    )


def _store(kept: Example, example: Example, first: int) -> Example:
    def write(room: jax.Array, part: jax.Array) -> jax.Array:
        """One batch at its place."""
        return jax.lax.dynamic_update_slice_in_dim(room, part, first, axis=0)

    return jax.tree.map(write, kept, example)


def _take(examples: Example, rows: jax.Array, devices: Devices) -> Example:
    """The slices in `rows`, each device those that are its share."""
    batch = jax.tree.map(lambda leaf: jnp.take(leaf, rows, axis=0, mode="clip"), examples)
    return jax.lax.with_sharding_constraint(batch, devices.by_slice)
