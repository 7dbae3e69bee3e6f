import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from configs import thesis_liver
from liverjax.choices import Loss, Schedule, Stage
from liverjax.config import OptimizerConfig
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


@pytest.mark.parametrize("parts", [2, 4])
def test_a_batch_in_parts_moves_the_weights_as_a_whole_one_does(parts):
    # Cross-entropy is a mean over slices and group norm keeps them apart, so nothing but rounding
    # may tell the two; the Dice of a batch is no mean.
    results = []
    for accumulate in (1, parts):
        config = toy_config(Stage.TUMOR, loss=Loss.CROSS_ENTROPY)
        config.optimizer = OptimizerConfig(learning_rate=1e-3, accumulate=accumulate)
        program = build_program(config, steps=8)
        state, sums = jax.jit(program.train_step)(program.state, examples(program)[0])
        results.append((state.opt_state[0].mu, sums))
    (whole, sums), (divided, other_sums) = results
    for left, right in zip(jax.tree.leaves(whole), jax.tree.leaves(divided), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-3, atol=1e-7)
    for left, right in zip(jax.tree.leaves(sums), jax.tree.leaves(other_sums), strict=True):
        assert float(left) == pytest.approx(float(right), rel=1e-5)


def test_the_moving_average_follows_the_weights_and_is_what_is_evaluated():
    config = toy_config()
    config.optimizer = OptimizerConfig(learning_rate=1e-2, ema_decay=0.5)
    program = build_program(config, steps=8)
    train_step, expected = jax.jit(program.train_step), program.state.variables
    state = program.state
    for step, example in enumerate(examples(program)[:3]):
        state, _ = train_step(state, example)
        share = min(0.5, (1 + step) / (10 + step))
        expected = jax.tree.map(
            lambda old, new, share=share: share * old + (1 - share) * new, expected, state.variables
        )
    assert state.evaluated is state.average
    for left, right in zip(jax.tree.leaves(expected), jax.tree.leaves(state.average), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-6)
    example, weight = examples(program)[0], jnp.ones(4, jnp.float32)
    averaged = program.eval_step(state, example, weight)
    plain = program.eval_step(state.replace(average={}), example, weight)
    assert float(averaged.loss) != float(plain.loss)


def test_long_gradients_are_clipped():
    config = toy_config().optimizer
    config.clip_norm = 2.0
    optimizer = build_optimizer(config, 10)
    params = {"kernel": jnp.zeros((2, 2))}
    moments = []
    for gradient in (100.0, 1000.0):
        gradients = {"kernel": jnp.full((2, 2), gradient)}
        _, state = optimizer.update(gradients, optimizer.init(params), params)
        moments.append(np.asarray(optax.tree.get(state, "mu")["kernel"]))
    np.testing.assert_allclose(moments[0], moments[1], rtol=1e-5)
    np.testing.assert_allclose(moments[0], 0.1 * 1.0, rtol=1e-5)  # norm 2 over four values


def test_the_schedule_warms_up_and_ends_at_zero():
    config = toy_config().optimizer
    config.warmup_fraction = 0.1
    rates = [float(build_schedule(config, 100)(step)) for step in range(101)]
    assert np.argmax(rates) == 10
    assert rates[10] == pytest.approx(config.learning_rate)
    assert rates[0] == pytest.approx(config.learning_rate / 10)
    assert rates[100] == pytest.approx(0, abs=1e-9)
    assert all(a > b for a, b in itertools.pairwise(rates[10:]))


@pytest.mark.parametrize(("fraction", "warm"), [(0.0, 0), (0.1, 9)])
def test_the_schedule_may_stay_where_the_warm_up_ends(fraction, warm):
    config = toy_config().optimizer
    config.schedule, config.warmup_fraction = Schedule.CONSTANT, fraction
    rates = [float(build_schedule(config, 100)(step)) for step in range(100)]
    assert rates[warm:] == pytest.approx([config.learning_rate] * (100 - warm))
    assert all(a < b for a, b in itertools.pairwise(rates[: warm + 1]))


def test_without_decay_and_schedule_it_is_adam():
    config = thesis_liver.get_config().optimizer
    ours, adam = build_optimizer(config, 10), optax.adam(1e-3, eps=1e-7)
    params = {"kernel": jnp.ones((2, 2))}
    states = [optimizer.init(params) for optimizer in (ours, adam)]
    for step in range(3):
        gradients = {"kernel": jnp.array([[1e-7, -1.0], [0.0, step]])}
        updates = []
        for place, optimizer in enumerate((ours, adam)):
            update, states[place] = optimizer.update(gradients, states[place], params)
            updates.append(update["kernel"])
        np.testing.assert_allclose(*updates, rtol=1e-6)


def test_decay_acts_on_kernels_alone():
    config = toy_config().optimizer
    config.weight_decay = 0.5
    optimizer = build_optimizer(config, 10)
    params = {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}
    nothing = jax.tree.map(jnp.zeros_like, params)
    updates, _ = optimizer.update(nothing, optimizer.init(params), params)
    assert (np.asarray(updates["kernel"]) < 0).all()
    assert (np.asarray(updates["bias"]) == 0).all()
