from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from liverjax.choices import Network, Precision
from liverjax.config import ModelConfig
from liverjax.errors import ConfigError
from liverjax.models.build import build
from liverjax.models.conv import upsample


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
    apply = jax.jit(partial(model.apply, mutable=["batch_stats"]), static_argnames="train")
    _, updated = apply(variables, images, train=True)
    before, after = variables["batch_stats"], updated["batch_stats"]
    moved = jax.tree.map(lambda a, b: bool(jnp.any(a != b)), before, after)
    assert all(jax.tree.leaves(moved))
    _, same = apply(variables, images, train=False)
    for left, right in zip(jax.tree.leaves(before), jax.tree.leaves(same), strict=True):
        np.testing.assert_array_equal(left, right)


def test_the_tumour_network_starts_from_a_rare_foreground():
    model = build(ModelConfig(Network.UNET, (4, 8)))
    images = jax.random.uniform(jax.random.key(1), (2, 16, 16, 1))
    variables = jax.jit(partial(model.init, train=False))(jax.random.key(0), images)
    probability = jax.nn.sigmoid(jax.jit(partial(model.apply, train=False))(variables, images))
    assert float(probability.mean()) < 0.1


def reference_resunet(variables, x, levels):
    """The finest logits of `ResUNet` in training, joined before every convolution, by Flax."""
    params = variables["params"]

    def conv(p, x, stride=1):
        size = p["kernel"].shape[:2]
        return nn.Conv(p["bias"].size, size, stride, padding="SAME").apply({"params": p}, x)

    def norm(p, x):
        layer = nn.BatchNorm(use_running_average=False, epsilon=1e-3)
        stats = {"mean": jnp.zeros(x.shape[-1]), "var": jnp.ones(x.shape[-1])}
        return layer.apply({"params": p, "batch_stats": stats}, x, mutable=["batch_stats"])[0]

    def block(p, x, stride=1):
        return conv(p["conv"], nn.relu(norm(p["norm"], x)), stride)

    def shortcut(p, x, stride=1):
        return norm(p["norm"], conv(p["conv"], x, stride))

    def residual(p, x, stride=1):
        y = block(p["second"], block(p["first"], x, stride))
        return y + shortcut(p["shortcut"], x, stride)

    y = block(params["stem_block"], conv(params["stem_conv"], x))
    x = y + shortcut(params["stem_shortcut"], x)
    skips = []
    for level in range(levels):
        skips.append(x)
        x = residual(params[f"encoder{level}"], x, 2)
    for index in range(2):
        x = block(params[f"bridge{index}"], x)
    for level in reversed(range(levels)):
        x = jnp.concatenate([upsample(x), skips[level]], axis=-1)
        x = residual(params[f"decoder{level}"], x)
    return conv(params["head"], x)


def test_the_residual_network_is_the_plain_formulation_with_its_gradients():
    model = build(ModelConfig(Network.RESUNET, (4, 6)))
    images = jax.random.normal(jax.random.key(1), (2, 8, 8, 3))
    weights = jax.random.normal(jax.random.key(2), (2, 8, 8, 1))
    variables = jax.jit(partial(model.init, train=False))(jax.random.key(0), images)

    def ours(variables, images):
        (logits,), _ = model.apply(variables, images, train=True, mutable=["batch_stats"])
        return jnp.sum(logits * weights), logits

    def theirs(variables, images):
        logits = reference_resunet(variables, images, 1)
        return jnp.sum(logits * weights), logits

    found, logits = jax.jit(jax.grad(ours, argnums=(0, 1), has_aux=True))(variables, images)
    expected, right = jax.jit(jax.grad(theirs, argnums=(0, 1), has_aux=True))(variables, images)
    np.testing.assert_allclose(logits, right, rtol=1e-3, atol=1e-4)
    scale = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(expected))
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5 * scale)


@pytest.mark.parametrize("network", list(Network))
def test_coarser_logits_are_trained_and_leave_the_finest_alone(network):
    images = jax.random.normal(jax.random.key(1), (2, 16, 16, 1))
    plain, deep = (build(ModelConfig(network, (4, 8, 8, 8), deep_supervision=n)) for n in (0, 2))
    init = [
        run_once(partial(m.init, train=False), jax.random.key(0), images) for m in (plain, deep)
    ]
    assert set(init[1]["params"]) - set(init[0]["params"]) == {"head1", "head2"}
    train, test = (
        [
            run_once(partial(m.apply, **how), v, images)
            for m, v in zip((plain, deep), init, strict=True)
        ]
        for how in ({"train": True, "mutable": ["batch_stats"]}, {"train": False})
    )
    logits, _ = train[1]
    assert [x.shape for x in logits] == [(2, 16, 16, 1), (2, 8, 8, 1), (2, 4, 4, 1)]
    alone, _ = train[0]
    np.testing.assert_allclose(logits[0], alone[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(test[1], test[0])


def run_once(function, *args):
    """What it gives, compiled quickly rather than well."""
    options = {"xla_backend_optimization_level": 0}
    return jax.jit(function).lower(*args).compile(compiler_options=options)(*args)


@pytest.mark.parametrize("network", list(Network))
def test_bfloat16_keeps_parameters_and_logits_in_float32(network):
    config = ModelConfig(network, (4, 8), precision=Precision.BFLOAT16)
    images = jax.random.normal(jax.random.key(1), (2, 16, 16, 1))
    variables = jax.jit(partial(build(config).init, train=False))(jax.random.key(0), images)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    logits = build(config).apply(variables, images, train=False)
    exact = build(ModelConfig(network, (4, 8))).apply(variables, images, train=False)
    assert logits.dtype == jnp.float32
    assert 0 < float(jnp.abs(logits - exact).max()) < 0.05 * float(jnp.abs(exact).max())


def test_more_coarse_levels_than_the_decoder_has_are_refused():
    with pytest.raises(ConfigError, match=r"deep_supervision: expected 0 to 1 .* found 2"):
        build(ModelConfig(features=(4, 8, 8), deep_supervision=2))
