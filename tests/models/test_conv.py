import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from liverjax.models import conv_gradient
from liverjax.models.conv import Conv, convolve, upsample, upsampled_convolve
from liverjax.models.conv_gradient import weight_gradient


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def plain(x, kernel, stride=1):
    return jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def assert_same_with_gradients(ours, theirs, *inputs):
    """Equal results, and equal gradients by every input under one arbitrary cotangent."""
    result, vjp = jax.vjp(jax.jit(ours), *inputs)
    expected, expected_vjp = jax.vjp(jax.jit(theirs), *inputs)
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4)
    cotangent = normal(9, *expected.shape)
    for left, right in zip(vjp(cotangent), expected_vjp(cotangent), strict=True):
        scale = float(jnp.abs(right).max())
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=2e-6 * scale)


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(
    ("shape", "features"),
    [
        ((2, 16, 16, 3), 5),  # fewer channels in than out
        ((2, 16, 12, 6), 4),  # fewer out than in: the gradient is the one shifted
        ((1, 2, 2, 4), 4),
        ((3, 7, 5, 2), 3),  # odd sides
        ((1, 1, 1, 2), 2),
        ((1, 8, 8, 40), 36),  # wide enough for one product per kernel row
    ],
)
def test_convolution_and_its_gradients_are_the_library_s(size, stride, shape, features):
    kernel = normal(1, size, size, shape[-1], features)
    assert_same_with_gradients(
        lambda x, k: convolve(x, k, stride),
        lambda x, k: plain(x, k, stride),
        normal(0, *shape),
        kernel,
    )


@pytest.mark.parametrize("block", [1, 24, 50, 4096])
@pytest.mark.parametrize(("stride", "side"), [(1, 11), (2, 6)])
def test_weight_gradient_in_blocks_of_any_size(monkeypatch, block, stride, side):
    monkeypatch.setattr(conv_gradient, "BLOCK", block)
    x, g = normal(0, 2, 11, 11, 3), normal(1, 2, side, side, 4)
    expected = jax.vjp(lambda k: plain(x, k, stride), jnp.zeros((3, 3, 3, 4)))[1](g)[0]
    found = weight_gradient(x, g, (3, 3), stride, ((1, 1), (1, 1)))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("shape", [(2, 8, 6, 5), (1, 1, 1, 3), (2, 3, 5, 2)])
def test_convolution_before_doubling_is_that_of_the_doubled(size, shape):
    assert_same_with_gradients(
        upsampled_convolve,
        lambda x, k: plain(upsample(x), k),
        normal(0, *shape),
        normal(1, size, size, shape[-1], 4),
    )


def test_upsampling_repeats():
    x = normal(0, 1, 2, 3, 2)
    np.testing.assert_array_equal(upsample(x), jnp.repeat(jnp.repeat(x, 2, 1), 2, 2))


@pytest.mark.parametrize("size", [1, 3])
def test_the_module_has_the_parameters_and_the_function_of_flax(size):
    ours, theirs = (
        Conv(6, size=size),
        nn.Conv(6, (size, size), padding="SAME", kernel_init=nn.initializers.glorot_uniform()),
    )
    fine, coarse = normal(0, 2, 8, 8, 3), normal(1, 2, 4, 4, 5)
    joined = jnp.concatenate([upsample(coarse), fine], axis=-1)
    params = theirs.init(jax.random.key(3), joined)
    own = ours.init(jax.random.key(3), fine, coarse)
    jax.tree.map(np.testing.assert_array_equal, own, params)
    params = jax.tree.map(lambda p: p + 0.1, params)
    expected = theirs.apply(params, joined)
    np.testing.assert_allclose(ours.apply(params, fine, coarse), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(ours.apply(params, joined), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [1, 3])
def test_bfloat16_is_computed_and_float32_is_kept(size):
    conv = Conv(6, size=size, dtype=jnp.bfloat16)
    fine, coarse = normal(0, 2, 8, 8, 3), normal(1, 2, 4, 4, 5)
    params = conv.init(jax.random.key(3), fine, coarse)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}

    def total(conv, params):
        y = conv.apply(params, fine, coarse)
        return jnp.sum(y.astype(jnp.float32) ** 2), y

    gradient, result = jax.jit(jax.grad(lambda p: total(conv, p), has_aux=True))(params)
    exact, _ = jax.grad(lambda p: total(Conv(6, size=size), p), has_aux=True)(params)
    assert result.dtype == jnp.bfloat16
    for left, right in zip(jax.tree.leaves(gradient), jax.tree.leaves(exact), strict=True):
        assert left.dtype == jnp.float32
        np.testing.assert_allclose(left, right, rtol=0.1, atol=0.03 * float(jnp.abs(right).max()))


def test_gradients_inside_a_loop_are_those_outside():
    x, kernel = normal(0, 2, 8, 8, 3), normal(1, 3, 3, 3, 4)

    def descend(kernel):
        return kernel - 0.01 * jax.grad(lambda k: jnp.sum(convolve(x, k) ** 2))(kernel)

    looped = jax.jit(lambda k: jax.lax.scan(lambda k, _: (descend(k), None), k, length=3)[0])
    step = jax.jit(descend)
    np.testing.assert_allclose(looped(kernel), step(step(step(kernel))), rtol=1e-4, atol=1e-5)


SHARDED = """
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from liverjax.models.conv import Conv
from liverjax.models.norm import BatchNorm
mesh = jax.make_mesh((8,), ("batch",), axis_types=(AxisType.Auto,))
rng = np.random.default_rng(0)
fine, coarse = rng.normal(size=(8, 8, 8, 3)), rng.normal(size=(8, 4, 4, 5))
maps = [jnp.asarray(x, jnp.float32) for x in (fine, coarse)]
conv, norm = Conv(6), BatchNorm(0.9, relu=True)
params = conv.init(jax.random.key(0), *maps)
stats = norm.init(jax.random.key(1), jnp.zeros((1, 8, 8, 6)), train=False)
def loss(params, *maps):
    (y,), _ = norm.apply(stats, conv.apply(params, *maps), train=True, mutable=["batch_stats"])
    return jnp.sum(y ** 2 * jnp.arange(8.0)[:, None, None, None])
gradient = jax.jit(jax.grad(loss, argnums=(0, 1, 2)))
one = gradient(params, *maps)
many = gradient(params, *jax.device_put(maps, NamedSharding(mesh, PartitionSpec("batch"))))
assert not many[1].sharding.is_fully_replicated
jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3), one, many)
"""


def test_gradients_of_a_batch_over_eight_devices_are_those_of_one():
    flags = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    command = [sys.executable, "-c", SHARDED]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
