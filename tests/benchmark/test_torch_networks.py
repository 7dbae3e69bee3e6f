import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from liverjax.benchmark import torch_cascade  # noqa: E402
from liverjax.benchmark.settings import TorchMode  # noqa: E402
from liverjax.benchmark.torch_runtime import from_torch, to_torch, torch_network  # noqa: E402
from liverjax.config import ModelConfig, Network  # noqa: E402
from liverjax.errors import BenchmarkError  # noqa: E402
from liverjax.models.build import build  # noqa: E402
from liverjax.preprocess.resize import View, restore, sample  # noqa: E402

SIZE, CHANNELS = 16, 2


def random_variables(config):
    """Variables none of which is 0 or 1, as a mix-up of these would not show."""
    model = build(config)
    images = jnp.zeros((1, SIZE, SIZE, CHANNELS))
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), images, train=False))
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: rng.uniform(0.1, 0.5, leaf.shape).astype(np.float32), shapes)


@pytest.mark.parametrize("network", list(Network))
def test_network_is_the_flax_one(network, rng):
    config = ModelConfig(network, (4, 6, 8))
    variables = random_variables(config)
    images = rng.normal(size=(2, SIZE, SIZE, CHANNELS)).astype(np.float32)
    expected = build(config).apply(variables, images, train=False)
    peer = torch_network(config, CHANNELS, variables, TorchMode.EAGER).eval()
    with torch.inference_mode():
        found = from_torch(peer(to_torch(images)))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_running_statistics_move_alike(rng):
    config = ModelConfig(Network.RESUNET, (4, 6), momentum=0.7)
    variables = random_variables(config)
    images = rng.normal(size=(2, SIZE, SIZE, CHANNELS)).astype(np.float32)
    _, after = build(config).apply(variables, images, train=True, mutable=["batch_stats"])
    peer = torch_network(config, CHANNELS, variables, TorchMode.EAGER).train()
    peer(to_torch(images))
    expected = after["batch_stats"]["stem_block"]["norm"]["mean"]
    found = peer.state_dict()["stem_block.norm.running_mean"]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_weights_of_another_network_are_refused():
    config = ModelConfig(Network.RESUNET, (4, 6))
    variables = random_variables(config)
    with pytest.raises(BenchmarkError, match="without a counterpart"):
        torch_network(ModelConfig(Network.RESUNET, (4, 8)), CHANNELS, variables, TorchMode.EAGER)


def test_resampling_is_ours_both_ways(rng):
    images = rng.normal(size=(2, 20, 30, 1)).astype(np.float32)
    corner, side = np.array([[-2.5, 1.0], [4.0, 9.25]]), np.array([24.0, 7.5])
    sides = np.stack([side, side], axis=1)
    view = View(jnp.asarray(corner + sides / 2, jnp.float32), jnp.asarray(sides, jnp.float32))
    start, step = torch.tensor(corner).float(), torch.tensor(side).float() / 8
    seen = torch_cascade.resample(to_torch(images), start, step, 8, 8)
    expected = sample(images, view, 8)
    np.testing.assert_allclose(from_torch(seen), expected, atol=1e-5)
    back = torch_cascade.resample(seen, -start / step[:, None], 1 / step, 20, 30)
    np.testing.assert_allclose(from_torch(back), restore(expected, view, 20, 30), atol=1e-5)
