from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from liverjax.config import ModelConfig, Network
from liverjax.models.build import build


def shapes_of(features, channels=3, size=64, network=Network.RESUNET):
    model = build(ModelConfig(network, features))
    return jax.eval_shape(
        lambda key: model.init(key, jnp.zeros((1, size, size, channels)), train=False),
        jax.random.key(0),
    )


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


@pytest.fixture(scope="module")
def thesis():
    return shapes_of(ModelConfig().features)


def test_the_thesis_network_has_its_parameters(thesis):
    assert count(thesis["params"]) == 4_715_761
    assert count(thesis["batch_stats"]) == 7_296
    assert count(thesis) == 4_723_057


@pytest.mark.parametrize(
    ("path", "size"),
    [
        ("stem_conv", 448),
        ("stem_block/conv", 2_320),
        ("stem_shortcut/conv", 64),
        ("decoder3/first/conv", 884_992),
        ("decoder3/shortcut/conv", 98_560),
        ("decoder0/shortcut/conv", 2_592),
        ("decoder0/first/conv", 23_072),
        ("head", 33),
    ],
)
def test_the_thesis_network_has_its_layers(thesis, path, size):
    layer = thesis["params"]
    for name in path.split("/"):
        layer = layer[name]
    assert count(layer) == size


@pytest.mark.parametrize("network", list(Network))
def test_logits_keep_the_size_and_depend_on_the_whole_image(network):
    model = build(ModelConfig(network, (4, 8, 8)))
    images = jax.random.normal(jax.random.key(1), (2, 32, 32, 1))
    variables = jax.jit(partial(model.init, train=False))(jax.random.key(0), images)
    apply = jax.jit(partial(model.apply, train=False))
    assert apply(variables, images).shape == (2, 32, 32, 1)
    gradient = jax.grad(lambda x: apply(variables, x)[0, 16, 16, 0])(images)
    reach = np.abs(np.asarray(gradient[0, ..., 0])) > 0
    # The coarsest level sees at least a third of the side; the other slice plays no part.
    assert reach.any(axis=0).sum() > 10
    assert not np.asarray(gradient[1]).any()


def test_batch_statistics_move_in_training_alone():
    model = build(ModelConfig(Network.RESUNET, (4, 8), momentum=0.5))
    images = 3.0 + jax.random.normal(jax.random.key(1), (2, 16, 16, 1))
    variables = jax.jit(partial(model.init, train=False))(jax.random.key(0), images)
    _, updated = model.apply(variables, images, train=True, mutable=["batch_stats"])
    before, after = variables["batch_stats"], updated["batch_stats"]
    moved = jax.tree.map(lambda a, b: bool(jnp.any(a != b)), before, after)
    assert all(jax.tree.leaves(moved))
    _, same = model.apply(variables, images, train=False, mutable=["batch_stats"])
    for left, right in zip(jax.tree.leaves(before), jax.tree.leaves(same), strict=True):
        np.testing.assert_array_equal(left, right)


def test_the_tumour_network_starts_from_a_rare_foreground():
    model = build(ModelConfig(Network.UNET, (4, 8)))
    images = jax.random.uniform(jax.random.key(1), (2, 16, 16, 1))
    variables = jax.jit(partial(model.init, train=False))(jax.random.key(0), images)
    probability = jax.nn.sigmoid(model.apply(variables, images, train=False))
    assert float(probability.mean()) < 0.1
