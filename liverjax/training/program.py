"""From a configuration to the pure functions of a run and its first state."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import optax

from liverjax.batch import DeviceBatch
from liverjax.config import ExperimentConfig
from liverjax.models.build import build
from liverjax.preprocess.grid import Example, Preprocess
from liverjax.preprocess.stages import build_preprocess
from liverjax.training import step
from liverjax.training.augment.build import build_augment
from liverjax.training.augment.copies import make_copies
from liverjax.training.losses import build_loss
from liverjax.training.metrics import Sums
from liverjax.training.optimizer import build_optimizer, build_schedule
from liverjax.training.state import TrainState, create_state


class Program(NamedTuple):
    """An experiment's pure functions, not yet jitted, and its first state.

    Attributes:
        to_example: a source's batch -> `Example`.
        train_step: (state, example) -> (state, sums).
        eval_step: (state, example, weight) -> sums.
        schedule: update -> learning rate.
        state: at step 0.
    """

    to_example: Callable[[DeviceBatch], Example]
    train_step: Callable[[TrainState, Example], tuple[TrainState, Sums]]
    eval_step: Callable[[TrainState, Example, jax.Array], Sums]
    schedule: optax.Schedule
    state: TrainState


def build_program(
    config: ExperimentConfig, steps: int, sharding: jax.sharding.Sharding | None = None
) -> Program:
    """Binds what `config` asks for to the pure steps, for a run of `steps` updates.

    `sharding` says where the state lies; by default on the default device.
    """
    model = build(config.model)
    optimizer = build_optimizer(config.optimizer, steps)
    loss_fn = build_loss(config.loss)
    preprocess = build_preprocess(config.preprocess, config.stage)
    return Program(
        to_example=partial(_to_example, preprocess),
        train_step=partial(
            step.train_step,
            model=model,
            optimizer=optimizer,
            loss_fn=loss_fn,
            augment_fn=build_augment(config.augment, config.stage),
            preprocess=preprocess,
            parts=config.optimizer.accumulate,
            ema_decay=config.optimizer.ema_decay,
        ),
        eval_step=partial(step.eval_step, model=model, loss_fn=loss_fn, preprocess=preprocess),
        schedule=build_schedule(config.optimizer, steps),
        state=create_state(
            model,
            optimizer,
            seed=config.seed,
            size=config.preprocess.size,
            channels=config.preprocess.input_channels,
            averaged=config.optimizer.ema_decay > 0,
            sharding=sharding,
        ),
    )


def _to_example(preprocess: Preprocess, batch: DeviceBatch) -> Example:
    """Copies are turned as CT slices, before anything else, as files made offline would be."""
    return preprocess.to_example(make_copies(batch))
