import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from liverjax.config import Stage
from liverjax.training.optimizer import build_optimizer, build_schedule
from liverjax.training.program import build_program
from liverjax.training.state import TrainState
from tests.toy import toy_config, toy_source


@pytest.fixture(scope="module", params=list(Stage))
def program(request):
    program = build_program(toy_config(request.param), steps=8)
    return program._replace(
        train_step=jax.jit(program.train_step, donate_argnums=0),
        eval_step=jax.jit(program.eval_step),
    )


def copy(state: TrainState) -> TrainState:
    return jax.tree.map(jnp.copy, state)


def examples(program):
    return [program.to_example(batch) for batch in toy_source().train_batches(0)]


def test_a_step_is_a_function_of_its_arguments(program):
    first, second = (
        program.train_step(copy(program.state), examples(program)[0]) for _ in range(2)
    )
    for left, right in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        if jnp.issubdtype(left.dtype, jax.dtypes.prng_key):
            left, right = jax.random.key_data(left), jax.random.key_data(right)
        np.testing.assert_array_equal(left, right)


def test_a_step_counts_moves_every_parameter_and_keeps_the_key(program):
    state = copy(program.state)
    after, sums = program.train_step(copy(state), examples(program)[0])
    assert int(after.step) == 1
    np.testing.assert_array_equal(jax.random.key_data(after.key), jax.random.key_data(state.key))
    # A bias before a normalisation has no gradient; kernels always do.
    for before, moved in zip(
        jax.tree.leaves(state.params), jax.tree.leaves(after.params), strict=True
    ):
        assert before.ndim == 1 or bool(jnp.any(before != moved))
    assert float(sums.slices) == 4
    assert np.isfinite(float(sums.loss))


def test_augmentation_changes_from_step_to_step(program):
    state = copy(program.state)
    _, first = program.train_step(copy(state), examples(program)[0])
    _, later = program.train_step(copy(state.replace(step=state.step + 1)), examples(program)[0])
    assert float(first.loss) != float(later.loss)


def test_evaluation_ignores_padding(program):
    example = examples(program)[0]
    changed = example._replace(image=example.image.at[3].set(1000))
    weight = jnp.array([1, 1, 1, 0], jnp.float32)
    first, second = (program.eval_step(program.state, some, weight) for some in (example, changed))
    for left, right in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        assert float(left) == pytest.approx(float(right), rel=1e-5)
    assert float(first.slices) == 3


def test_learning_lowers_the_loss(program):
    state, losses = copy(program.state), []
    for _ in range(4):
        for batch in examples(program):
            state, sums = program.train_step(state, batch)
            losses.append(float(sums.loss))
    assert np.mean(losses[-4:]) < 0.7 * np.mean(losses[:4])


def test_the_schedule_warms_up_and_ends_at_zero():
    config = toy_config().optimizer
    config.warmup_fraction = 0.1
    rates = [float(build_schedule(config, 100)(step)) for step in range(101)]
    assert np.argmax(rates) == 10
    assert rates[10] == pytest.approx(config.learning_rate)
    assert rates[0] == pytest.approx(config.learning_rate / 10)
    assert rates[100] == pytest.approx(0, abs=1e-9)
    assert all(a > b for a, b in itertools.pairwise(rates[10:]))


def test_decay_acts_on_kernels_alone():
    config = toy_config().optimizer
    config.weight_decay = 0.5
    optimizer = build_optimizer(config, 10)
    params = {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}
    nothing = jax.tree.map(jnp.zeros_like, params)
    updates, _ = optimizer.update(nothing, optimizer.init(params), params)
    assert (np.asarray(updates["kernel"]) < 0).all()
    assert (np.asarray(updates["bias"]) == 0).all()
