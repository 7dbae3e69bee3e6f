"""How slices reach the step: all of them kept on the device, or streamed batch by batch.

Both give the same interface. Steps come in groups, one per dispatch; the sums of a group have
the steps as their leading axis.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from liverjax.batch import HostBatch
from liverjax.choices import Feed
from liverjax.config import ExperimentConfig, PreprocessConfig
from liverjax.training.devices import Devices, as_in_first_process, put_batch
from liverjax.training.metrics import Sums
from liverjax.training.prefetch import prefetch
from liverjax.training.program import Program
from liverjax.training.resident import ResidentFeed
from liverjax.training.sources import BatchSource
from liverjax.training.state import TrainState

# The rest is for the network: activations of a batch, and what the compiler makes room for.
_SHARE_OF_DEVICE = 0.4
_CONTAINER = Path("/sys/fs/cgroup/memory.max")


class TrainFeed(Protocol):
    """Training and evaluation over the slices of a run."""

    def train(self, state: TrainState, epoch: int, start: int) -> Iterator[tuple[TrainState, Sums]]:
        """The steps of `epoch` from step `start` on: the state after each group, and its sums.

        The state given is used up.
        """
        ...

    def evaluate(self, state: TrainState) -> Iterator[Sums]:
        """Sums over the validation slices."""
        ...


class StreamFeed:
    """Batches are read while the step runs on those before them; one step per dispatch."""

    def __init__(
        self, program: Program, train: BatchSource, validation: BatchSource | None, devices: Devices
    ) -> None:
        self._train, self._validation, self._devices = train, validation, devices

        def train_step(state: TrainState, batch: Any) -> tuple[TrainState, Sums]:
            """From a source's batch; sums [1]."""
            state, sums = program.train_step(state, program.to_example(batch))
            return state, jax.tree.map(lambda leaf: leaf[None], sums)

        def eval_step(state: TrainState, batch: Any) -> Sums:
            """From a source's batch; sums [1]."""
            sums = program.eval_step(state, program.to_example(batch), batch["weight"])
            return jax.tree.map(lambda leaf: leaf[None], sums)

        self._train_step = jax.jit(train_step, donate_argnums=0, out_shardings=devices.everywhere)
        self._eval_step = jax.jit(eval_step, out_shardings=devices.everywhere)

    def train(self, state: TrainState, epoch: int, start: int) -> Iterator[tuple[TrainState, Sums]]:
        """See `TrainFeed`."""
        for batch in prefetch(self._train.train_batches(epoch, start), self._put):
            state, sums = self._train_step(state, batch)
            yield state, sums

    def evaluate(self, state: TrainState) -> Iterator[Sums]:
        """See `TrainFeed`."""
        if self._validation is not None:
            for batch in prefetch(self._validation.eval_batches(), self._put):
                yield self._eval_step(state, batch)

    def _put(self, batch: HostBatch) -> dict[str, jax.Array]:
        return put_batch(batch, self._devices)


def choose_feed(
    config: ExperimentConfig, train: BatchSource, validation: BatchSource | None
) -> Feed:
    """What `config.feed` comes down to on this machine: resident or stream."""
    if config.feed is not Feed.AUTO:
        return config.feed
    slices = train.num_slices + (validation.num_slices if validation else 0)
    needed = slices * bytes_per_slice(config.preprocess)
    fits = as_in_first_process(needed <= _SHARE_OF_DEVICE * _device_bytes())
    return Feed.RESIDENT if fits else Feed.STREAM


def open_feed(
    kind: Feed,
    config: ExperimentConfig,
    program: Program,
    train: BatchSource,
    validation: BatchSource | None,
    devices: Devices,
) -> TrainFeed:
    """The feed of kind `kind`; a resident one reads all slices here."""
    if kind is Feed.STREAM:
        return StreamFeed(program, train, validation, devices)
    return ResidentFeed(config, program, train, validation, devices)


def bytes_per_slice(config: PreprocessConfig) -> int:
    """What one slice takes on the device, see `liverjax.preprocess.grid.Example`."""
    pixels = config.size**2
    image = pixels * (2 * config.neighbors + 1) * jnp.dtype(jnp.int16).itemsize
    return image + 2 * pixels * jnp.dtype(jnp.uint8).itemsize


def _device_bytes() -> int:
    """Memory of a device; where it does not tell, as the CPU, that of the machine."""
    statistics = jax.local_devices()[0].memory_stats() or {}
    if "bytes_limit" in statistics:
        return statistics["bytes_limit"]
    # Each of the devices that the host stands in for would hold a copy.
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):  # a container may have less; "max" is no number
        machine = min(machine, int(_CONTAINER.read_text()))
    return machine // jax.local_device_count()
