"""Batch normalisation, with ReLU where one follows, as one function with one gradient.

Left to automatic differentiation, every intermediate of the normalisation is kept for the
backward pass; here its input alone is.
"""

from functools import partial

import jax
import jax.numpy as jnp
from flax import linen as nn

# Keras' default, which the thesis network was trained with; Flax's own is 1e-5.
EPSILON = 1e-3

_Saved = tuple[jax.Array, jax.Array, jax.Array, jax.Array, jax.Array]


class BatchNorm(nn.Module):
    """Batch normalisation of feature maps [B, H, W, C], over all but the channels.

    Parameters and statistics are those of `flax.linen.BatchNorm`, in float32 whatever the type
    of the maps. Several maps are normalised as if their channels were joined; they may differ
    in resolution, which is right where a coarser one stands for itself repeated.

    Attributes:
        momentum: of the running statistics.
        relu: whether a ReLU follows.
    """

    momentum: float
    relu: bool = False

    @nn.compact
    def __call__(self, *maps: jax.Array, train: bool) -> tuple[jax.Array, ...]:
        shape = (sum(x.shape[-1] for x in maps),)
        mean = self.variable("batch_stats", "mean", jnp.zeros, shape, jnp.float32)
        var = self.variable("batch_stats", "var", jnp.ones, shape, jnp.float32)
        scale = self.param("scale", nn.initializers.ones, shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, shape, jnp.float32)
        results, means, variances, start = [], [], [], 0
        for x in maps:
            own = slice(start, start + x.shape[-1])
            start += x.shape[-1]
            if train:
                y, m, v = normalize(x, scale[own], bias[own], self.relu)
                means.append(m)
                variances.append(v)
            else:
                y = _affine(x, mean.value[own], var.value[own], scale[own], bias[own], self.relu)
            results.append(y)
        if train and not self.is_initializing():
            for running, now in ((mean, means), (var, variances)):
                kept = self.momentum * running.value
                running.value = kept + (1 - self.momentum) * jnp.concatenate(now)
        return tuple(results)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def normalize(
    x: jax.Array, scale: jax.Array, bias: jax.Array, relu: bool
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Normalises [B, H, W, C] by its own statistics per channel; differentiable in the result.

    Args:
        x: feature map.
        scale, bias: [C] float32.
        relu: whether a ReLU follows.

    Returns:
        the result in the type of `x`; mean and (biased) variance [C] float32, of which no
        gradient is passed on.
    """
    return _normalize_forward(x, scale, bias, relu)[0]


def _normalize_forward(
    x: jax.Array, scale: jax.Array, bias: jax.Array, relu: bool
) -> tuple[tuple[jax.Array, jax.Array, jax.Array], _Saved]:
    """`normalize` and what its gradient needs."""
    wide = x.astype(jnp.float32)
    mean = wide.mean((0, 1, 2))
    var = jnp.maximum((wide * wide).mean((0, 1, 2)) - mean * mean, 0)
    return (_affine(x, mean, var, scale, bias, relu), mean, var), (x, mean, var, scale, bias)


def _normalize_backward(
    relu: bool, saved: _Saved, cotangents: tuple[jax.Array, jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Gradients of `normalize` (Ioffe & Szegedy 2015, arXiv:1502.03167)."""
    x, mean, var, scale, bias = saved
    rate = jax.lax.rsqrt(var + EPSILON)
    normal = (x.astype(jnp.float32) - _row(mean)) * _row(rate)
    g = cotangents[0].astype(jnp.float32)
    if relu:
        g = jnp.where(normal * _row(scale) + _row(bias) > 0, g, 0)
    d_bias = g.sum((0, 1, 2))
    d_scale = (g * normal).sum((0, 1, 2))
    count = x.size // x.shape[-1]
    d_x = _row(scale * rate) * (g - _row(d_bias / count) - normal * _row(d_scale / count))
    return d_x.astype(x.dtype), d_scale, d_bias


normalize.defvjp(_normalize_forward, _normalize_backward)


def _affine(
    x: jax.Array, mean: jax.Array, var: jax.Array, scale: jax.Array, bias: jax.Array, relu: bool
) -> jax.Array:
    """`x` normalised by the given statistics, in its own type."""
    rate = scale * jax.lax.rsqrt(var + EPSILON)
    y = (x.astype(jnp.float32) - _row(mean)) * _row(rate) + _row(bias)
    return (jnp.maximum(y, 0) if relu else y).astype(x.dtype)


def _row(channel: jax.Array) -> jax.Array:
    """[C] -> [1, 1, 1, C]."""
    return channel[None, None, None]
