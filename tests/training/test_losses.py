import jax
import jax.numpy as jnp
import numpy as np
import pytest

from liverjax.choices import Loss
from liverjax.training.losses import build_loss, cross_entropy, over_levels, soft_dice
from liverjax.training.metrics import accumulate, batch_sums, summarize

ONES = jnp.ones(2)


def logits_of(target):
    return jnp.where(target > 0, 50.0, -50.0)


@pytest.fixture
def target(rng):
    return jnp.asarray(rng.integers(0, 2, (2, 8, 8, 1)), jnp.float32)


def test_a_perfect_prediction_costs_nothing(target):
    for loss in Loss:
        cost = float(build_loss(loss)(logits_of(target), target, ONES))
        assert cost == pytest.approx(0, abs=1e-6)


def test_soft_dice_is_the_formula(rng, target):
    logits = rng.normal(size=target.shape).astype(np.float32)
    p, t = 1 / (1 + np.exp(-logits.astype(np.float64))), np.asarray(target, np.float64)
    expected = 1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)
    assert float(soft_dice(jnp.asarray(logits), target, ONES)) == pytest.approx(expected, rel=1e-5)


def test_an_empty_batch_costs_nothing_when_nothing_is_predicted():
    empty = jnp.zeros((2, 8, 8, 1))
    assert float(soft_dice(logits_of(empty), empty, ONES)) == pytest.approx(0, abs=1e-6)
    assert float(soft_dice(logits_of(empty + 1), empty, ONES)) > 0.99


def test_cross_entropy_is_the_formula(rng, target):
    logits = rng.normal(size=target.shape).astype(np.float32)
    p, t = 1 / (1 + np.exp(-logits.astype(np.float64))), np.asarray(target)
    expected = -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()
    found = float(cross_entropy(jnp.asarray(logits), target, ONES))
    assert found == pytest.approx(expected, rel=1e-5)


def test_the_sum_is_the_sum(rng, target):
    logits = jnp.asarray(rng.normal(size=target.shape), jnp.float32)
    parts = soft_dice(logits, target, ONES) + cross_entropy(logits, target, ONES)
    both = build_loss(Loss.DICE_CROSS_ENTROPY)(logits, target, ONES)
    assert float(both) == pytest.approx(float(parts))


@pytest.mark.parametrize("loss", list(Loss))
def test_padding_counts_for_nothing(rng, target, loss):
    logits = jnp.asarray(rng.normal(size=target.shape), jnp.float32)
    function = build_loss(loss)
    padded = function(logits, target, jnp.array([1.0, 0.0]))
    changed = function(logits.at[1].set(9.0), target.at[1].set(1.0), jnp.array([1.0, 0.0]))
    alone = function(logits[:1], target[:1], jnp.ones(1))
    assert float(padded) == pytest.approx(float(changed)) == pytest.approx(float(alone))


def test_sums_of_batches_add_up_to_those_of_the_whole(rng):
    logits = jnp.asarray(rng.normal(size=(4, 8, 8, 1)), jnp.float32)
    target = jnp.asarray(rng.integers(0, 2, (4, 8, 8, 1)), jnp.float32)
    weight = jnp.array([1.0, 1.0, 1.0, 0.0])
    parts = [
        batch_sums(jnp.asarray(loss), logits[part], target[part], weight[part])
        for loss, part in ((0.5, slice(0, 2)), (2.0, slice(2, 4)))
    ]
    totals = np.zeros(5)
    for part in parts:
        totals = accumulate(totals, jax.tree.map(lambda leaf: leaf[None], part))
    found = summarize(totals)
    predicted, true = np.asarray(logits[:3]) >= 0, np.asarray(target[:3]) > 0
    expected = 2 * (predicted & true).sum() / (predicted.sum() + true.sum())
    assert found["dice"] == pytest.approx(expected)
    assert found["loss"] == pytest.approx((0.5 * 2 + 2.0) / 3)


def test_dice_of_nothing_at_all_is_one():
    empty = jnp.zeros((1, 4, 4, 1))
    sums = batch_sums(jnp.asarray(0.0), logits_of(empty), empty, jnp.ones(1))
    assert summarize(np.array(jax.tree.leaves(sums)))["dice"] == 1.0


def test_coarser_levels_count_half_as_much_and_see_shares_of_foreground():
    target = jnp.zeros((1, 4, 4, 1)).at[0, 0, 0, 0].set(1.0)
    weight = jnp.ones(1)
    seen = []

    def loss_fn(logits, wanted, weight):
        seen.append(np.asarray(wanted)[0, :, :, 0])
        return jnp.sum(logits) * weight[0]

    levels = (jnp.ones((1, 4, 4, 1)) / 16, jnp.ones((1, 2, 2, 1)), jnp.zeros((1, 1, 1, 1)))
    total = over_levels(loss_fn, levels, target, weight)
    assert float(total) == pytest.approx((1 * 1 + 0.5 * 4) / 1.75)
    assert [part.shape for part in seen] == [(4, 4), (2, 2), (1, 1)]
    np.testing.assert_allclose(seen[1], [[0.25, 0], [0, 0]])
    np.testing.assert_allclose(seen[2], 1 / 16)
