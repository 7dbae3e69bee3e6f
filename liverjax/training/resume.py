"""A training state on its way to a checkpoint and back, and where a new one begins."""

import dataclasses
import logging
from pathlib import Path
from typing import Any

import jax
import numpy as np

from liverjax import config_json
from liverjax.checkpoint import Checkpoints, Saved, load_model
from liverjax.choices import Feed
from liverjax.config import ExperimentConfig
from liverjax.errors import CheckpointError, ConfigError
from liverjax.training.devices import Devices, put_everywhere
from liverjax.training.state import TrainState, start_average
from liverjax.trees import mismatches

_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass
class Progress:
    """Where a run is, besides its state.

    Attributes:
        feed: how it reads its slices; kept, since the two differ in their last bits.
        records: one per epoch that is done, as logged.
        totals: float64 [5], sums of the steps since; see `liverjax.training.metrics`.
    """

    feed: Feed
    records: list[dict[str, float]] = dataclasses.field(default_factory=list)
    totals: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(5))


def to_saved(
    config: ExperimentConfig, state: TrainState, progress: Progress, manifest: dict[str, Any]
) -> Saved:
    """What a checkpoint keeps of a run at this point."""
    return Saved(
        model=state.evaluated,
        training=_training(state),
        config=config_json.to_dict(config),
        manifest=manifest,
        progress={
            "feed": progress.feed.value,
            "records": progress.records,
            "totals": progress.totals.tolist(),
        },
    )


def restore(
    config: ExperimentConfig,
    state: TrainState,
    checkpoints: Checkpoints,
    run: Path,
    devices: Devices,
) -> tuple[TrainState, Progress] | None:
    """State and progress of the newest checkpoint; None where there is none.

    Args:
        config: the experiment.
        state: of the same structure, at step 0.
        checkpoints: of the run.
        run: its folder, for messages.
        devices: where the state goes.

    Raises:
        ConfigError: the run was begun with another configuration.
        CheckpointError: what is stored is of another structure, or no state of training.
    """
    latest = checkpoints.latest_step
    if latest is None:
        return None
    begun, told = checkpoints.read_facts(latest)
    if not told:
        raise CheckpointError(
            f"{run}: holds weights that were imported, and no training that could go on; to start "
            f"from them give another workdir, and --config.init_from={run}"
        )
    refuse_other_config(run, config_json.from_dict(ExperimentConfig, begun), config)
    found = checkpoints.restore(latest, state.evaluated, _training(state))
    model, training = put_everywhere(found, devices)
    _LOGGER.info("%s: resumed after step %d", config.stage.value, latest)
    trained = training.get("trained", model)
    restored = TrainState(
        step=training["step"],
        params=trained["params"],
        batch_stats=trained["batch_stats"],
        average=model if state.average else {},
        opt_state=training["opt_state"],
        key=jax.jit(jax.random.wrap_key_data, out_shardings=devices.everywhere)(training["key"]),
    )
    progress = Progress(
        feed=Feed(told["feed"]),
        records=told["records"],
        totals=np.array(told["totals"], np.float64),
    )
    return restored, progress


def start_from(run: Path, step: int | None, state: TrainState, devices: Devices) -> TrainState:
    """`state` with the weights of another run, of its checkpoint `step` or its best.

    Raises:
        CheckpointError: that run has none, or weights of another network; lists what differs.
    """
    loaded = load_model(run.expanduser(), step)
    expected = {"params": state.params, "batch_stats": state.batch_stats}
    lines = mismatches(expected, loaded.variables)
    if lines:
        shown = "\n  ".join(lines[:20] + ([f"and {len(lines) - 20} more"] if lines[20:] else []))
        raise CheckpointError(f"the initial weights, of {run}, do not fit this network:\n  {shown}")
    variables = put_everywhere(loaded.variables, devices)
    state = state.replace(params=variables["params"], batch_stats=variables.get("batch_stats", {}))
    _LOGGER.info("initial weights from %s, step %d", run, loaded.step)
    return start_average(state) if state.average else state


def refuse_other_config(run: Path, begun: ExperimentConfig, config: ExperimentConfig) -> None:
    """Refuses to go on with a run under a configuration that it was not begun with.

    Raises:
        ConfigError: names the fields that differ.
    """
    changed = config_json.differences(begun, config)
    if changed:
        raise ConfigError(
            f"{run} was begun with another configuration ({'; '.join(changed)}): "
            "give another workdir, or the first configuration"
        )


def _training(state: TrainState) -> dict[str, Any]:
    """The part of a state that inference has no use for."""
    training = {
        "step": state.step,
        "opt_state": state.opt_state,
        "key": jax.random.key_data(state.key),
    }
    return training | {"trained": state.variables} if state.average else training
