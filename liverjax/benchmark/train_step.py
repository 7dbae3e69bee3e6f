"""Forward pass, backward pass and AdamW update on a batch that lies ready on the device."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from liverjax.benchmark.comparison import OURS, Comparison, check_close
from liverjax.benchmark.flops import count_flops, training_flops
from liverjax.benchmark.settings import Settings, name_of
from liverjax.benchmark.timing import Contender, Timing, interleave, spread
from liverjax.benchmark.workload import Problem, network_problem
from liverjax.choices import Precision
from liverjax.config import OptimizerConfig
from liverjax.models.build import logits_of
from liverjax.training.losses import dice_cross_entropy

NAME = "train_step"
# Of a loss near 2, before and after the first update.
_LOSS_TOLERANCE = {Precision.FLOAT32: 1e-3, Precision.BFLOAT16: 5e-2}
_UPDATED_TOLERANCE = {Precision.FLOAT32: 1e-2, Precision.BFLOAT16: 1e-1}


class State(NamedTuple):
    """Parameters, running statistics and the optimiser's moments."""

    params: Any
    batch_stats: Any
    moments: optax.OptState


def compare_train_step(settings: Settings) -> Comparison:
    """Ours against an equal network under PyTorch, from the same weights on the same batch.

    Each contender goes on training between its turns, so no two steps are the same. Checked are
    the loss of the initial weights and that after one update, which is right only where
    gradients and optimiser are.

    Raises:
        BenchmarkError: PyTorch is missing, or the losses differ.
    """
    problem = network_problem(settings)
    contender, ours = our_contender(problem)
    contenders, losses = [contender], {OURS: ours}
    if settings.peers:
        from liverjax.benchmark import torch_step

        for mode in settings.torch_modes:
            name = name_of(mode)
            run, losses[name] = torch_step.trainer(problem, settings, mode)
            contenders.append(Contender(name, run))
    timings = interleave(contenders, settings.repeats, settings.calls)
    first_two = {name: [float(loss) for loss in values] for name, values in losses.items()}
    return Comparison(
        NAME,
        "slices/s",
        settings.batch_size,
        tuple(timings),
        _check_losses(first_two, settings),
        {
            "loss before, after one update": str(np.round(first_two[OURS], 5).tolist()),
            **roofline(problem, settings, timings[0], training=True),
        },
        settings.lower_precision,
    )


def our_contender(problem: Problem) -> tuple[Contender, list[jax.Array]]:
    """Our step, with the state donated as in training, and the losses of its first two steps.

    A turn ends when the last update is on the device; the list fills during the first turns.
    """
    step = _jitted(problem)
    held = [jax.tree.map(jnp.copy, initial_state(problem.variables))]
    losses: list[jax.Array] = []

    def run(calls: int) -> None:
        """Steps in a row; keeps the first two losses."""
        for _ in range(calls):
            held[0], loss = step(held[0], problem.images, problem.target)
            if len(losses) < 2:
                losses.append(loss)
        jax.block_until_ready(held[0])

    return Contender(OURS, run), losses


def compiled_step(problem: Problem) -> jax.stages.Compiled:
    """The program that `our_contender` runs."""
    state = initial_state(problem.variables)
    return _jitted(problem).lower(state, problem.images, problem.target).compile()


def initial_state(variables: Mapping[str, Any]) -> State:
    """The state before the first `update`."""
    params = variables["params"]
    return State(params, variables.get("batch_stats", {}), _optimizer().init(params))


def update(
    model: nn.Module, state: State, images: jax.Array, target: jax.Array
) -> tuple[State, jax.Array]:
    """One update on images [B, S, S, C] and target [B, S, S, 1]: the new state, the loss before."""
    weight = jnp.ones((images.shape[0],), jnp.float32)

    def objective(params: Any) -> tuple[jax.Array, Any]:
        """Loss, and the updated running statistics."""
        found, updated = model.apply(
            {"params": params, "batch_stats": state.batch_stats},
            images,
            train=True,
            mutable=["batch_stats"],
        )
        # Networks that can be supervised at several depths hand out one array for each.
        logits = found[0] if isinstance(found, tuple) else found
        return dice_cross_entropy(logits, target, weight), updated.get("batch_stats", {})

    (loss, stats), slopes = jax.value_and_grad(objective, has_aux=True)(state.params)
    updates, moments = _optimizer().update(slopes, state.moments, state.params)
    return State(optax.apply_updates(state.params, updates), stats, moments), loss


def roofline(
    problem: Problem, settings: Settings, timing: Timing, *, training: bool
) -> dict[str, Any]:
    """Operations per call, reached TFLOP/s, and which share that is of `settings.peak_tflops`."""
    forward = count_flops(
        lambda variables, images: logits_of(problem.model, variables, images),
        problem.variables,
        problem.images,
    )
    flops = training_flops(forward) if training else forward
    reached = flops * timing.calls / spread(timing.seconds).median / 1e12
    facts: dict[str, Any] = {"GFLOP per call": flops / 1e9, "TFLOP/s of liverjax": reached}
    if settings.peak_tflops:
        facts["share of the peak"] = reached / settings.peak_tflops
    return facts


def _jitted(problem: Problem) -> jax.stages.Wrapped:
    return jax.jit(partial(update, problem.model), donate_argnums=0)


def _optimizer() -> optax.GradientTransformation:
    """AdamW at a constant rate; decay acts on kernels alone."""
    config = OptimizerConfig()
    return optax.adamw(
        config.learning_rate,
        weight_decay=config.weight_decay,
        mask=lambda params: jax.tree.map(lambda leaf: leaf.ndim > 1, params),
    )


def _check_losses(losses: Mapping[str, Sequence[float]], settings: Settings) -> dict[str, float]:
    """By contender, the larger difference of its two losses from ours."""
    agreement = {}
    for name, (before, after) in losses.items():
        if name == OURS:
            continue
        kind = settings.rounds(name)
        first = check_close("first loss", name, before, losses[OURS][0], _LOSS_TOLERANCE[kind])
        second = check_close(
            "loss after one update", name, after, losses[OURS][1], _UPDATED_TOLERANCE[kind]
        )
        agreement[name] = max(first, second)
    return agreement
