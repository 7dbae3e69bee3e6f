import jax
import jax.numpy as jnp
from flax import linen as nn

from liverjax.benchmark.flops import count_flops


def test_convolution_counts_its_output_times_its_kernel():
    conv = nn.Conv(5, (3, 3), strides=2)
    images = jax.ShapeDtypeStruct((2, 8, 8, 3), jnp.float32)
    variables = jax.eval_shape(conv.init, jax.random.key(0), images)
    assert count_flops(jax.jit(conv.apply), variables, images) == 2 * (2 * 4 * 4 * 5) * (3 * 3 * 3)


def test_matrix_products_loops_and_branches():
    a, b = jnp.ones((2, 3)), jnp.ones((3, 3))
    assert count_flops(jnp.dot, a, b) == 2 * 2 * 3 * 3

    def loop(a, b):
        return jax.lax.scan(lambda x, _: (x @ b, None), a, length=4)[0]

    def branch(a, b):
        return jax.lax.cond(a[0, 0] > 0, lambda: a @ b @ b, lambda: a @ b)

    assert count_flops(loop, a, b) == 4 * 36
    assert count_flops(branch, a, b) == 2 * 36
    assert count_flops(jax.vmap(jnp.dot, (None, 0)), a, jnp.ones((5, 3, 3))) == 5 * 36
