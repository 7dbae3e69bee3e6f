"""The thesis' preprocessing of one slice, written plainly with NumPy, OpenCV and PIL."""

import cv2
import numpy as np
from PIL import Image


def stretch(values):
    """Min-max to 0..1, in float64; the one departure: a constant slice gives zeros."""
    low, high = float(values.min()), float(values.max())
    return np.zeros(values.shape) if high == low else (values - low) / (high - low)


def equalized(hu):
    """int16 [H, W] -> float64 [H, W] in 0..1."""
    hu = hu.copy()
    hu[hu > 1200] = 0
    levels = (stretch(np.clip(hu, -100, 400)) * 255).astype(np.uint8)
    return stretch(cv2.equalizeHist(levels))


def network_input(hu, size, method, liver=None):
    """int16 [H, W] -> float64 [size, size]."""
    values = equalized(hu)
    if liver is not None:
        values = values * liver
    return np.array(Image.fromarray(values).resize((size, size), method))


def network_target(mask, size, method):
    """bool [H, W] -> float32 [size, size]."""
    return np.array(Image.fromarray(mask.astype(np.float64)).resize((size, size), method))
