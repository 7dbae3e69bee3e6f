"""What a dataset holds: one example per axial slice, and one summary per patient."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from liverjax.datasets.content import describe
from liverjax.datasets.splits import check_disjoint
from liverjax.errors import InputError, SplitError
from liverjax.labels import liver_mask, tumor_mask
from liverjax.volume import Volume, check_axial
from liverjax.wording import listed


@dataclasses.dataclass
class PatientSummary:
    """What a prepared dataset knows of a patient without reading a slice.

    Attributes:
        fingerprint: of the files that the patient was read from.
        height, width: of every slice, in pixels.
        slices: how many there are.
        liver_slices: how many of them hold liver or tumour.
        liver_voxels: liver with its tumours.
        tumor_voxels: tumours.
        tumors_known: False where tumours were not annotated, so that the patient is none without
            tumours.
    """

    fingerprint: str
    height: int = 0
    width: int = 0
    slices: int = 0
    liver_slices: int = 0
    liver_voxels: int = 0
    tumor_voxels: int = 0
    tumors_known: bool = True

    def add(self, example: Mapping[str, Any]) -> None:
        """Counts one of `slice_examples`."""
        self.height, self.width = example["label"].shape[:2]
        self.slices += 1
        self.liver_slices += example["liver_pixels"] > 0
        self.liver_voxels += example["liver_pixels"]
        self.tumor_voxels += example["tumor_pixels"]


def slice_examples(patient: str, volume: Volume, labels: np.ndarray) -> Iterator[dict[str, Any]]:
    """The slices of a patient in order, each with what it takes to put the volume together again.

    Args:
        patient: name of the patient's split.
        volume: axial, its axes along head, back and left.
        labels: uint8 [D, H, W] on the grid of `volume`.

    Yields:
        image int16 [H, W, 1] in HU; label uint8 [H, W, 1]; patient; slice_index from 0; spacing
        float32 [3], mm along (z, y, x), 0 where not known; position float32 [3], LPS mm of the
        slice's first voxel, or in steps of 1 from that of the first where not known;
        liver_pixels (tumours included) and tumor_pixels; content uint8 [BYTES], see
        `datasets.content`.

    Raises:
        InputError: the labels are on another grid, or the volume is not axial, which spacing and
            position alone cannot tell.
    """
    if labels.shape != volume.hu.shape:
        raise InputError(
            f"{patient}: the CT has shape {volume.hu.shape}, its labels {labels.shape}"
        )
    # What spacing and position alone cannot tell.
    check_axial(volume.geometry, patient)
    affine, known = volume.geometry.affine, volume.geometry.spacing_known
    x, y, z = affine[:3, 3].tolist()
    dz, dy, dx = np.linalg.norm(affine[:3, :3], axis=0).tolist()
    spacing, step = ((dz, dy, dx), dz) if known else ((0.0, 0.0, 0.0), 1.0)
    contents = describe(volume.hu)
    for index, (image, label) in enumerate(zip(volume.hu, labels, strict=True)):
        yield {
            "image": image[..., None],
            "label": label[..., None],
            "patient": patient,
            "slice_index": index,
            "spacing": np.array(spacing, dtype=np.float32),
            "position": np.array((x, y, z + index * step), dtype=np.float32),
            "liver_pixels": int(np.count_nonzero(liver_mask(label))),
            "tumor_pixels": int(np.count_nonzero(tumor_mask(label))),
            "content": contents[index],
        }


def changes(prepared: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """How the fingerprints of the patients found differ from those of a prepared dataset's.

    Returns:
        Lines such as "changed: patient04, patient17"; empty where they are equal.
    """
    kinds = {
        "added": [p for p in found if p not in prepared],
        "removed": [p for p in prepared if p not in found],
        "changed": [p for p in found if p in prepared and found[p] != prepared[p]],
    }
    return [f"{kind}: {', '.join(sorted(names))}" for kind, names in kinds.items() if names]


def select_patients(
    dataset: str, held: Mapping[str, PatientSummary], patients: Sequence[str]
) -> dict[str, PatientSummary]:
    """The summaries of `patients`, in this order.

    Args:
        dataset: its name, for messages.
        held: every patient of the dataset.
        patients: names.

    Raises:
        SplitError: no patient, one named twice, or one that the dataset does not hold.
    """
    if not patients:
        raise SplitError(f"{dataset}: expected one patient or more, found none")
    check_disjoint({"the list of patients": patients})
    unknown = [patient for patient in patients if patient not in held]
    if unknown:
        raise SplitError(
            f"{dataset}: does not hold {', '.join(unknown)}; it holds {', '.join(held)}"
        )
    return {patient: held[patient] for patient in patients}


def annotated(held: Mapping[str, PatientSummary], patients: Sequence[str]) -> tuple[str, ...]:
    """Those of the patients whose tumours were annotated, in this order."""
    return tuple(patient for patient in patients if held[patient].tumors_known)


def check_annotated(
    dataset: str, held: Mapping[str, PatientSummary], patients: Sequence[str]
) -> None:
    """Refuses patients whose tumours were not annotated: what is unknown is no healthy liver.

    Raises:
        SplitError: names them.
    """
    unknown = [name for name in patients if name in held and not held[name].tumors_known]
    if unknown:
        raise SplitError(
            f"{dataset}: expected patients whose tumours were annotated, found "
            f"{listed(unknown)}, whose were not; leave them out here, or train the liver stage "
            "alone on them"
        )


def check_one_size(dataset: str, selected: Mapping[str, PatientSummary]) -> None:
    """Refuses patients whose slices differ in size, so that they cannot share a batch.

    Raises:
        InputError: lists the sizes.
    """
    sizes = {name: f"{summary.height}x{summary.width}" for name, summary in selected.items()}
    if len(set(sizes.values())) > 1:
        listing = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise InputError(
            f"{dataset}: expected slices of one size, found {listing}; choose patients of one size"
        )
