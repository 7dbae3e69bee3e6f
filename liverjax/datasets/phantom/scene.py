"""The canvas that organs are painted on, one after the other, each where there is still room."""

import dataclasses

import numpy as np

from liverjax.datasets.phantom.fields import WHOLE, Box
from liverjax.datasets.phantom.patient import Frame, Phase


@dataclasses.dataclass(eq=False)
class Scene:
    """State of the painting.

    Attributes:
        frame, phase: the patient.
        rng: the patient's source of randomness.
        hu: float32 [D, H, W], changed in place.
        room: bool [D, H, W], abdominal cavity that no organ has taken yet, changed in place.
        structures: boolean masks [D, H, W] by their 3D-IRCADb name.
    """

    frame: Frame
    phase: Phase
    rng: np.random.Generator
    hu: np.ndarray
    room: np.ndarray
    structures: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)


def claim(scene: Scene, shape: np.ndarray, gap: float = 2.0, box: Box = WHOLE) -> np.ndarray:
    """Takes the room inside a shape, and keeps later organs `gap` mm of fat away from it.

    Args:
        scene: its `room` shrinks.
        shape: signed distance in `box`.
        gap: mm.
        box: where.

    Returns:
        Boolean mask in `box`.
    """
    mask = (shape < 0) & scene.room[box]
    scene.room[box] &= shape > gap
    return mask


def paint(scene: Scene, mask: np.ndarray, value: float | np.ndarray, box: Box = WHOLE) -> None:
    """Sets the HU inside a mask, both given in `box`."""
    np.copyto(scene.hu[box], np.float32(value), where=mask)
