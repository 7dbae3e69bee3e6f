"""The devices of a run: one axis of them, each with the whole state and a share of every batch."""

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from liverjax.batch import HostBatch
from liverjax.config import ExperimentConfig
from liverjax.errors import ConfigError

_AXIS = "data"

# An answer from all processes comes after the steps that are under way, and until then the host
# prepares nothing. Eight groups are some seconds at most, and no request to stop is so urgent.
_GROUPS_PER_QUESTION = 8


class Devices(NamedTuple):
    """Where arrays lie.

    Attributes:
        everywhere: sharding of what every device holds as a whole.
        by_slice: sharding that divides the first axis, the slices of a batch.
    """

    everywhere: NamedSharding
    by_slice: NamedSharding


def all_devices() -> Devices:
    """All devices of all processes of the run."""
    # With Auto axes a jitted step over a divided batch is the single-device program: XLA puts
    # the sums over the devices where they belong, those of batch norm's statistics included.
    mesh = Mesh(np.array(jax.devices()), (_AXIS,), axis_types=(AxisType.Auto,))
    return Devices(NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec(_AXIS)))


def check_devices(config: ExperimentConfig) -> None:
    """Refuses batches that cannot be divided evenly.

    Raises:
        ConfigError: names the field.
    """
    count = jax.device_count()
    if config.batch_size % (count * config.optimizer.accumulate):
        parts = config.optimizer.accumulate
        of = f"{count} devices" if parts == 1 else f"{count} devices and {parts} parts"
        raise ConfigError(
            f"config.batch_size: expected a multiple of {count * parts} for {of}, found "
            f"{config.batch_size}"
        )


def join_processes(coordinator: str | None, count: int, index: int) -> None:
    """Makes this process one of `count` that train together; before any other use of JAX.

    Args:
        coordinator: HOST:PORT on the machine of process 0; may be None for a single process.
        count: number of processes.
        index: which of them this one is, from 0.

    Raises:
        ConfigError: there is no process of that number, or no coordinator to be reached.
    """
    if not 0 <= index < count:
        raise ConfigError(f"--process: expected 0 to {count - 1}, found {index}")
    if coordinator is None:
        if count > 1:
            raise ConfigError(f"--coordinator: expected HOST:PORT for {count} processes")
        return
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigError(f"--coordinator: expected HOST:PORT, found {coordinator}")
    # The service would take SIGTERM for itself, and nothing here asks it: until the loop listens, a
    # process that is told to end would go on.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        jax.distributed.initialize(coordinator, num_processes=count, process_id=index)
    except RuntimeError as error:
        raise ConfigError(f"--coordinator: {coordinator} cannot be joined ({error})") from error


def check_same_everywhere(facts: Mapping[str, Any]) -> None:
    """Refuses processes that would wait for each other forever, or come to different bits.

    Args:
        facts: JSON-ready, by a name to call each by; the same names in all processes. The version
            of jaxlib, whose programs they run, is always among them.

    Raises:
        ConfigError: in all of them; names what differs.
    """
    if jax.process_count() == 1:
        return
    facts = {**facts, "jaxlib": importlib.metadata.version("jaxlib")}
    texts = [json.dumps(fact, sort_keys=True) for fact in facts.values()]
    digests = [np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint8) for text in texts]
    gathered = multihost_utils.process_allgather(np.stack(digests))  # [processes, facts, bytes]
    equal = (gathered == gathered[:1]).all(axis=(0, 2))
    different = [name for name, same in zip(facts, equal, strict=True) if not same]
    if different:
        raise ConfigError(
            f"the processes differ in: {', '.join(different)}; start all of them with the same"
        )


def as_in_first_process(value: bool) -> bool:
    """What the first process says, in all of them; they must ask at the same point."""
    if jax.process_count() == 1:
        return value
    return bool(multihost_utils.broadcast_one_to_all(np.array(value)))


def share_of_batches() -> tuple[int, int]:
    """(index, count): which part of every batch this process reads."""
    return jax.process_index(), jax.process_count()


def put_batch(batch: HostBatch, devices: Devices) -> dict[str, jax.Array]:
    """This process's share of a batch, as part of the whole batch over all devices."""
    return {
        name: jax.make_array_from_process_local_data(devices.by_slice, values)
        for name, values in batch.items()
    }


def anywhere(flag: bool) -> bool:
    """Whether `flag` is set in one process at least; all of them must ask at the same point."""
    if jax.process_count() == 1:
        return flag
    return bool(np.any(multihost_utils.process_allgather(np.array(flag))))


def anywhere_after(group: int, flag: bool) -> bool:
    """`anywhere` after a group of steps; several processes ask each other after a few only.

    Args:
        group: number of the group, from 1, at which all processes are.
        flag: of this process.
    """
    if jax.process_count() > 1 and group % _GROUPS_PER_QUESTION:
        return False
    return anywhere(flag)


def is_first_process() -> bool:
    """Whether this process writes what all of them have in common."""
    return jax.process_index() == 0


def put_everywhere(tree: Any, devices: Devices) -> Any:
    """A tree of host arrays, equal in all processes, on every device."""
    return jax.device_put(tree, devices.everywhere)
