"""What is found out about one case: the prediction for one CT against its reference."""

import dataclasses

from liverjax.evaluation.confusion import Confusion

METRICS = (
    "dice",
    "voe",
    "rvd",
    "assd",
    "rmsd",
    "msd",
    "hd95",
    "nsd2",
    "volume_error_ml",
    "false_positive_ml",
)
"""The figures of one structure in the order of their columns, see `StructureScore`."""
SIGNED = ("rvd", "volume_error_ml")
"""Those of them that are positive for too much and negative for too little; 0 is best."""
HIGHER_IS_BETTER = {name: name in ("dice", "nsd2") for name in METRICS}
"""By figure; of those in `SIGNED` it is said of their size."""
STRUCTURES = ("liver", "tumor")


@dataclasses.dataclass(frozen=True)
class StructureScore:
    """Agreement of one structure; docs/METRICS.md says what each figure is where a mask is empty.

    Attributes:
        confusion: counts over all voxels of the volume.
        dice: 2 I / (P + R); None where the reference is empty.
        voe: volume overlap error, 1 - I / (P | R); None as for `dice`.
        rvd: relative volume difference, (P - R) / R, so that too large a prediction is positive;
            None as for `dice`.
        assd, rmsd, msd: mean, root mean square and maximum of the symmetric surface distances in
            mm; None where a mask is empty or the spacing is not known.
        hd95: the larger of the two directed 95th percentiles of the surface distances in mm;
            None as for `assd`.
        nsd2: normalised surface Dice, the share of both surfaces within 2 mm of the other; 0
            where the prediction alone is empty; None where the reference is empty or the spacing
            is not known.
        volume_error_ml: predicted less reference volume in mL; None where the spacing is not known.
        false_positive_ml: predicted outside of the reference in mL; None as for
            `volume_error_ml`.
    """

    confusion: Confusion
    dice: float | None
    voe: float | None
    rvd: float | None
    assd: float | None
    rmsd: float | None
    msd: float | None
    hd95: float | None
    nsd2: float | None
    volume_error_ml: float | None
    false_positive_ml: float | None


@dataclasses.dataclass(frozen=True)
class Lesion:
    """A lesion of the reference with what was predicted of it, or a prediction that is of none.

    Attributes:
        reference_components, predicted_components: 6-connected pieces on each side; the one is 0
            for a false positive, the other for a lesion that was missed.
        reference_voxels, predicted_voxels, shared_voxels: sizes of the two and of their overlap.
        reference_ml, predicted_ml: volumes; None where the spacing is not known.
        reference_diameter_mm: of the sphere of the reference's volume; None where the spacing is
            not known or there is no reference.
    """

    reference_components: int
    predicted_components: int
    reference_voxels: int
    predicted_voxels: int
    shared_voxels: int
    reference_ml: float | None
    predicted_ml: float | None
    reference_diameter_mm: float | None

    @property
    def iou(self) -> float:
        """Intersection over union, 0 for a lesion that has no counterpart."""
        union = self.reference_voxels + self.predicted_voxels - self.shared_voxels
        return self.shared_voxels / union

    @property
    def dice(self) -> float:
        """Dice coefficient, 0 for a lesion that has no counterpart."""
        return 2 * self.shared_voxels / (self.reference_voxels + self.predicted_voxels)


@dataclasses.dataclass(frozen=True)
class CaseScore:
    """Everything that is found out about one case.

    Attributes:
        case: the name that it goes by in tables.
        liver: of the liver with its tumours.
        tumor: of the tumours; None where those of the reference were not annotated, so that nothing
            can be said of them.
        lesions: those of the reference first, then the false positives, the largest first.
        voxel_ml: volume of a voxel in mL; None where the spacing is not known.
    """

    case: str
    liver: StructureScore
    tumor: StructureScore | None
    lesions: tuple[Lesion, ...]
    voxel_ml: float | None

    def structure(self, name: str) -> StructureScore | None:
        """The score of one of `STRUCTURES`; None where it was not annotated."""
        return self.liver if name == "liver" else self.tumor

    @property
    def burden(self) -> float | None:
        """Tumour over liver with tumours in the reference; None without a liver, or `tumor`."""
        if self.tumor is None:
            return None
        return _share(self.tumor.confusion.reference, self.liver.confusion.reference)

    @property
    def predicted_burden(self) -> float | None:
        """Tumour over liver with tumours in the prediction; None as for `burden`."""
        if self.tumor is None:
            return None
        return _share(self.tumor.confusion.predicted, self.liver.confusion.predicted)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
