"""Losses: (logits, target, weight) -> scalar, means over the slices that carry weight.

`logits` and `target` are float32 [B, S, S, 1], `weight` is float32 [B]: 1 for a slice, 0 for
padding.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import optax

from liverjax.choices import Loss

LossFn = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]


def soft_dice(logits: jax.Array, target: jax.Array, weight: jax.Array) -> jax.Array:
    """1 - (2 sum(p t) + 1) / (sum p + sum t + 1), sums over the whole batch.

    The form of the thesis. A batch without foreground and without prediction costs 0, not 1:
    the ones keep the quotient defined and tell the network that silence is right there.
    """
    share = weight[:, None, None, None]
    probability = jax.nn.sigmoid(logits) * share
    target = target * share
    overlap = jnp.sum(probability * target)
    return 1.0 - (2.0 * overlap + 1.0) / (jnp.sum(probability) + jnp.sum(target) + 1.0)


def cross_entropy(logits: jax.Array, target: jax.Array, weight: jax.Array) -> jax.Array:
    """Binary cross-entropy in nats, mean over the pixels of slices with weight."""
    per_slice = jnp.mean(optax.sigmoid_binary_cross_entropy(logits, target), axis=(1, 2, 3))
    return jnp.sum(per_slice * weight) / jnp.maximum(jnp.sum(weight), 1.0)


def dice_cross_entropy(logits: jax.Array, target: jax.Array, weight: jax.Array) -> jax.Array:
    """Sum of `soft_dice` and `cross_entropy`."""
    return soft_dice(logits, target, weight) + cross_entropy(logits, target, weight)


def build_loss(loss: Loss) -> LossFn:
    """The function that `loss` names."""
    match loss:
        case Loss.DICE:
            return soft_dice
        case Loss.CROSS_ENTROPY:
            return cross_entropy
        case Loss.DICE_CROSS_ENTROPY:
            return dice_cross_entropy


def over_levels(
    loss_fn: LossFn, logits: Sequence[jax.Array], target: jax.Array, weight: jax.Array
) -> jax.Array:
    """Weighted mean of the loss on each level of a deeply supervised decoder.

    Each level counts half as much as the next finer one (nnU-Net's weights). Its target is the
    share of foreground in each of its pixels, so that small tumours do not vanish from it.

    Args:
        logits: finest first, [B, S, S, 1], [B, S/2, S/2, 1], ...
        target: [B, S, S, 1].
        weight: [B].
    """
    shares = [0.5**level for level in range(len(logits))]
    total = jnp.zeros(())
    for level, share in zip(logits, shares, strict=True):
        total += share * loss_fn(level, _shrink(target, level.shape[1]), weight)
    return total / sum(shares)


def _shrink(target: jax.Array, size: int) -> jax.Array:
    """Means over squares: [B, S, S, 1] -> [B, size, size, 1]."""
    batch, side, _, channels = target.shape
    step = side // size
    return target.reshape(batch, size, step, size, step, channels).mean(axis=(2, 4))
