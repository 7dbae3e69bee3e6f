"""From painted tissue to what a scanner delivers: partial volume, noise, table, field of view."""

import numpy as np
from scipy import ndimage

from liverjax.datasets.phantom.patient import Frame

PADDING_HU = -1024


def scan(hu: np.ndarray, frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """Painted HU float32 [D, H, W] as a CT of int16 HU of the same shape.

    Args:
        hu: changed in place.
        frame: the patient's.
        rng: source of the noise.
    """
    _paint_table(hu, frame)
    pixel = frame.spacing[2]
    blurred = _blur(hu, (0.35, 0.9 / pixel, 0.9 / pixel))
    noise = float(rng.uniform(13, 19)) * _grain(rng, hu.shape)
    y, x = (axis - c for axis, c in zip(frame.axes[1:], frame.centre, strict=True))
    # A ray through the middle of the trunk is weakened most, so that noise is strongest there.
    noise *= 0.55 + 0.6 * np.exp(-((y[:, None] / 110) ** 2) - (x / 150) ** 2)
    blurred += noise
    ct = np.clip(np.rint(blurred), PADDING_HU, 3071).astype(np.int16)
    ct[:, _outside_field(hu.shape[1:])] = PADDING_HU
    return ct


def _blur(values: np.ndarray, sigmas: tuple[float, ...]) -> np.ndarray:
    """Gaussian blur, sigma in voxels per axis."""
    for axis, sigma in enumerate(sigmas):
        if sigma > 0.2:
            values = ndimage.gaussian_filter1d(values, sigma, axis, mode="nearest", truncate=3.0)
    return values


def _grain(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Noise [D, H, W] of unit variance with the grain of a soft-tissue kernel.

    Reconstruction lets through neither the lowest frequencies in the plane (ramp filter) nor the
    highest (smoothing kernel): white noise, blurred, minus its own broader blur.
    """
    white = rng.standard_normal(shape, dtype=np.float32)
    fine = _blur(white, (0.0, 0.5, 0.5))
    fine -= _blur(fine, (0.0, 1.4, 1.4))
    return fine / fine.std()


def _paint_table(hu: np.ndarray, frame: Frame) -> None:
    """Paints the curved top of the patient table into the air under the back."""
    y, x = (axis - c for axis, c in zip(frame.axes[1:], frame.centre, strict=True))
    under = 128 + 1.1 * frame.fat - 0.0011 * x**2
    depth = y[:, None] - under
    shell = (np.abs(x) < 190) & (np.abs(depth - 10) < 10)
    sheet = np.clip(1.3 - np.abs(np.abs(depth - 10) - 8) / 1.5, 0, 1)
    air = hu < -950
    lying = air & (np.cumsum(~air, axis=1, dtype=np.int32) == np.sum(~air, axis=1, keepdims=True))
    np.copyto(hu, (-940 + 1500 * sheet).astype(np.float32), where=lying & shell)


def _outside_field(shape: tuple[int, ...]) -> np.ndarray:
    """Boolean [H, W]: the corners outside the reconstructed circle."""
    y, x = (np.linspace(-1, 1, n) for n in shape)
    return y[:, None] ** 2 + x**2 > 1.02
