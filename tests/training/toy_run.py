"""Trains the toy problem as a process of its own, for tests that kill it or run it on many devices.

python -m tests.training.toy_run WORKDIR [field=value ...] prints what happens, line by line; fields
are those of the configuration, and `process=HOST:PORT,COUNT,INDEX`, `room=CHECKPOINTS`,
`hold=POINT,COUNT`.
"""

import hashlib
import itertools
import resource
import sys
import time
from pathlib import Path

import jax
import numpy as np

from liverjax.checkpoint import Checkpoints, open_checkpoints
from liverjax.choices import Stage
from liverjax.config import ExperimentConfig
from liverjax.config_json import from_dict, to_dict
from liverjax.datasets.in_memory import InMemorySource
from liverjax.datasets.order import Sampling
from liverjax.errors import LiverjaxError
from liverjax.training import loop
from liverjax.training.devices import all_devices, join_processes, share_of_batches
from liverjax.training.resume import restore
from tests.toy import toy_config, toy_slices

# Where a write can be held. Orbax writes under a temporary name and renames; then comes the seal.
POINTS = ("items", "rename", "seal", "seal's rename")


def tell(*words):
    print(*words, flush=True)


def point_of(event, arguments):
    """Which of `POINTS` an operation on files is about to reach; None for every other one."""
    if event not in ("open", "os.mkdir", "os.rename") or not isinstance(arguments[0], str | Path):
        return None
    path = Path(arguments[0])
    if event == "os.mkdir" and path.name.startswith("training"):
        return "items"
    if event == "os.rename" and Path(arguments[1]).parent.name == "checkpoints":
        return "rename"
    if path.name == ".contents.json":
        return "seal" if event == "open" else "seal's rename"
    return None


def hold_write(point, count):
    """Stops for good at a point of the `count`-th checkpoint's write, and tells so: to be killed.

    An audit hook sees the operations of Orbax and of the seal alike, whichever thread they are
    in, and needs to know nothing of their code.
    """
    left = itertools.count(1)

    def hook(event, arguments):
        if point_of(event, arguments) == point and next(left) == count:
            tell("held", point)
            while True:
                time.sleep(60)

    sys.addaudithook(hook)


def announce_writes(room):
    """Tells when a checkpoint begins to be written and when it is complete.

    Files of more than 2 kB can no longer be written from the checkpoint number `room` on.
    """
    write, count = Checkpoints.save, itertools.count()

    def save(self, step, *rest):
        tell("writing", step)
        if next(count) == room:
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
        write(self, step, *rest)
        tell("written", step)

    Checkpoints.save = save


def announce_steps():
    """Tells of every group of steps that is done."""
    choose = loop.open_feed

    def open_feed(*arguments):
        feed = choose(*arguments)
        train = feed.train

        def announced(*arguments):
            for state, sums in train(*arguments):
                jax.block_until_ready(state)
                tell("step", int(state.step))
                yield state, sums

        feed.train = announced
        return feed

    loop.open_feed = open_feed


def configuration(fields):
    """The toy configuration with fields replaced, e.g. `feed=stream`, `epochs=5`."""
    plain = to_dict(toy_config(Stage(fields.pop("stage", "liver")), epochs=3))
    for path, value in fields.items():
        *folders, name = path.split(".")
        place = plain
        for folder in folders:
            place = place[folder]
        place[name] = type(place[name])(value)
    return from_dict(ExperimentConfig, plain)


def source(config, seed):
    return InMemorySource(
        *toy_slices(seed),
        batch_size=config.batch_size,
        sampling=Sampling(config.seed, config.tumor_share),
        share=share_of_batches(),
    )


def digest(state):
    """SHA-256 of every array of a state: parameters, statistics, optimiser state, key."""
    keyless = state.replace(key=jax.random.key_data(state.key))
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(keyless)]
    return hashlib.sha256(b"".join(leaf.tobytes() for leaf in leaves)).hexdigest()


def main(workdir, *fields):
    given = dict(field.split("=") for field in fields)
    if "process" in given:
        coordinator, count, index = given.pop("process").split(",")
        join_processes(coordinator, int(count), int(index))
    announce_writes(int(given.pop("room", -1)))
    if "hold" in given:
        point, count = given.pop("hold").split(",")
        hold_write(point, int(count))
    config = configuration(given)
    announce_steps()
    try:
        run = Path(workdir)
        state = loop.fit(config, source(config, 0), source(config, 1), run, {"made": "by a test"})
    except LiverjaxError as error:
        tell(type(error).__name__, error)
        sys.exit(3)
    with open_checkpoints(run) as checkpoints:
        restored, _ = restore(config, state, checkpoints, run, all_devices())
    tell("finished", digest(restored))


if __name__ == "__main__":
    main(*sys.argv[1:])
