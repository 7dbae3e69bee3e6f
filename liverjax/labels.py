"""Label values shared by every dataset, network and report."""

import enum
from typing import TypeVar

import jax
import numpy as np

from liverjax.errors import InputError

Array = TypeVar("Array", np.ndarray, jax.Array)


class Label(enum.IntEnum):
    """Voxel classes; the liver *mask* is every voxel of at least LIVER, tumours included."""

    BACKGROUND = 0
    LIVER = 1
    TUMOR = 2


def liver_mask(labels: Array) -> Array:
    """Boolean mask of the liver with its tumours; `labels` of any shape."""
    return labels >= Label.LIVER


def tumor_mask(labels: Array) -> Array:
    """Boolean mask of the tumours; `labels` of any shape."""
    return labels == Label.TUMOR


def merge_masks(liver: np.ndarray, tumor: np.ndarray) -> np.ndarray:
    """Labels (uint8) from two boolean masks of one shape; tumour outside the liver is dropped.

    Raises:
        InputError: the masks differ in shape.
    """
    if liver.shape != tumor.shape:
        raise InputError(f"liver mask has shape {liver.shape}, tumour mask {tumor.shape}")
    labels = np.where(liver, np.uint8(Label.LIVER), np.uint8(Label.BACKGROUND))
    labels[np.logical_and(liver, tumor)] = Label.TUMOR
    return labels
