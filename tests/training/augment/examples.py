"""Slices whose bright part is their mask, and one transform at a time to try on them."""

import jax
import jax.numpy as jnp
import numpy as np

from liverjax.augment_config import AugmentConfig
from liverjax.choices import Stage
from liverjax.training.augment.build import build_augment

SIDE = 32
BRIGHT_HU, DARK_HU = 150.0, 50.0
GEOMETRIC = {
    "rotation": 30.0,
    "zoom": 0.3,
    "shear": 20.0,
    "shift": 0.15,
    "elastic": 0.06,
    "flip": True,
    "flip_vertical": True,
}
INTENSITY = {
    "blur": 1.5,
    "low_resolution": 0.6,
    "gamma": 0.5,
    "brightness": 30.0,
    "contrast": 0.3,
    "noise": 20.0,
}
SCANNER = {"phase": 1.0, "slice_thickness": 2.0, "field_of_view": 0.3}
PATIENT = {"lesions": 2, "parenchyma": 60.0}
STRENGTHS = GEOMETRIC | INTENSITY | SCANNER | PATIENT
OFF = {name: type(strength)(0) for name, strength in STRENGTHS.items()}


def only(probability=1.0, **strengths):
    """A configuration with nothing but the transforms named, all at one probability."""
    probabilities = {f"{name}_probability": probability for name in strengths if name in OFF}
    return AugmentConfig(**(OFF | strengths | probabilities))


def slices(count, neighbours=1):
    """float32 [count, SIDE, SIDE, neighbours] HU, and uint8 [..., 2]: all, and the bright part."""
    target = np.zeros((count, SIDE, SIDE, 1), np.uint8)
    target[:, 7:22, 6:15] = 1
    target[:, 16:22, 6:22] = 1
    image = np.where(target, BRIGHT_HU, DARK_HU).repeat(neighbours, -1).astype(np.float32)
    masks = np.concatenate([np.ones_like(target), target], -1)
    return jnp.asarray(image), jnp.asarray(masks)


def augmented(config, image, masks, key=0, stage=Stage.TUMOR):
    """What the compiled transform makes of a batch, as numpy arrays."""
    lowered = jax.jit(build_augment(config, stage)).lower(jax.random.key(key), image, masks)
    # Half of the time to compile; `test_all_of_them_together...` has the usual optimisation.
    compiled = lowered.compile(compiler_options={"xla_backend_optimization_level": 0})
    return tuple(np.asarray(part) for part in compiled(jax.random.key(key), image, masks))
