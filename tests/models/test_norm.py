import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from liverjax.models.conv import upsample
from liverjax.models.norm import EPSILON, BatchNorm


@pytest.fixture
def maps(rng):
    fine = jnp.asarray(1.0 + 2.0 * rng.normal(size=(2, 8, 6, 3)), jnp.float32)
    coarse = jnp.asarray(rng.normal(size=(2, 4, 3, 5)), jnp.float32)
    return coarse, fine


def joined(coarse, fine):
    return jnp.concatenate([upsample(coarse), fine], axis=-1)


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("relu", [True, False])
def test_two_maps_are_normalised_as_flax_does_their_union(maps, train, relu, rng):
    ours = BatchNorm(0.9, relu=relu)
    theirs = nn.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=EPSILON)
    variables = theirs.init(jax.random.key(0), joined(*maps))
    own = ours.init(jax.random.key(0), *maps, train=train)
    jax.tree.map(np.testing.assert_array_equal, own, variables)
    variables = jax.tree.map(
        lambda v: v + jnp.asarray(rng.uniform(size=v.shape), jnp.float32), variables
    )
    weights = jnp.asarray(rng.normal(size=(2, 8, 6, 8)), jnp.float32)

    def ours_sum(params, coarse, fine):
        y, updated = ours.apply(
            {**variables, "params": params}, coarse, fine, train=train, mutable=["batch_stats"]
        )
        return jnp.sum(joined(*y) * weights), (joined(*y), updated)

    def theirs_sum(params, coarse, fine):
        y, updated = theirs.apply(
            {**variables, "params": params}, joined(coarse, fine), mutable=["batch_stats"]
        )
        y = nn.relu(y) if relu else y
        return jnp.sum(y * weights), (y, updated)

    inputs = (variables["params"], *maps)
    found = jax.jit(jax.grad(ours_sum, argnums=(0, 1, 2), has_aux=True))(*inputs)
    expected = jax.jit(jax.grad(theirs_sum, argnums=(0, 1, 2), has_aux=True))(*inputs)
    compare = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)  # noqa: E731
    jax.tree.map(compare, found, expected)


def test_bfloat16_maps_have_float32_statistics(maps):
    norm = BatchNorm(0.9, relu=True)
    fine = maps[1].astype(jnp.bfloat16)
    variables = norm.init(jax.random.key(0), fine, train=True)
    (y,), updated = norm.apply(variables, fine, train=True, mutable=["batch_stats"])
    assert y.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(updated)} == {jnp.dtype("float32")}
    np.testing.assert_allclose(
        updated["batch_stats"]["mean"], 0.1 * maps[1].mean((0, 1, 2)), rtol=0.02
    )
