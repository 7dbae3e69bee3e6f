"""One synthetic patient: a CT of the upper abdomen and the masks that go with it."""

import dataclasses

import numpy as np

from liverjax.datasets.phantom import bowel, organs, vessels
from liverjax.datasets.phantom.fields import WHOLE, ellipsoid
from liverjax.datasets.phantom.intensity import scan
from liverjax.datasets.phantom.lesions import paint_lesions
from liverjax.datasets.phantom.patient import PhantomSpec, draw_frame, draw_phase
from liverjax.datasets.phantom.scene import Scene, claim, paint
from liverjax.datasets.phantom.torso import AIR_HU, paint_torso
from liverjax.volume import Geometry, Volume


@dataclasses.dataclass(frozen=True, eq=False)
class Phantom:
    """A synthetic patient.

    Attributes:
        number: decides everything about the patient, together with the specification.
        volume: the CT; its axes run to the head, the back and the left.
        structures: boolean masks [D, H, W] under 3D-IRCADb's names. "liver" includes its vessels,
            cysts and tumours.
    """

    number: int
    volume: Volume
    structures: dict[str, np.ndarray]


def make_phantom(patient: int, spec: PhantomSpec) -> Phantom:
    """The synthetic patient of a number (>= 0); the same arguments give the same voxels."""
    # Streams of their own, so that a change of the anatomy deals nobody other lesions.
    rng, lesion_rng, noise_rng = np.random.default_rng([spec.seed, patient]).spawn(3)
    phase = draw_phase(rng)
    frame = draw_frame(rng, spec)
    scene = Scene(
        frame=frame,
        phase=phase,
        rng=rng,
        hu=np.full(spec.shape, AIR_HU, np.float32),
        room=np.zeros(spec.shape, bool),
    )
    paint_torso(scene)
    # Each organ takes its room from the later ones, hence the order.
    vessels.paint_great_vessels(scene)
    organs.paint_kidneys(scene)
    if patient % 4 == 3:
        _paint_adrenal_tumor(scene)
    liver = organs.paint_liver(scene)
    organs.paint_spleen(scene)
    organs.paint_stomach(scene)
    organs.paint_pancreas(scene)
    bowel.paint_colon(scene)
    bowel.paint_small_bowel(scene)
    bowel.paint_mesentery(scene)
    vessels.paint_liver_vessels(scene, liver)
    paint_lesions(dataclasses.replace(scene, rng=lesion_rng), liver, patient)
    scene.structures["liver"] = liver
    geometry = Geometry.from_axes((0.0, 0.0, 0.0), frame.spacing)
    volume = Volume(scan(scene.hu, frame, noise_rng), geometry)
    return Phantom(patient, volume, scene.structures)


def _paint_adrenal_tumor(scene: Scene) -> None:
    """Paints a mass above the left kidney whose name has "tumor" in it but is not the liver's."""
    centre = (40.0, 34.0, 14.0)
    shape = ellipsoid(scene.frame.grid, WHOLE, centre, (11.0, 13.0, 13.0))
    mask = claim(scene, shape)
    paint(scene, mask, scene.phase.muscle - 15)
    scene.structures["leftsurretumor"] = mask
