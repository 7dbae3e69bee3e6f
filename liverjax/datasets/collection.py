"""Patients that can be read and trained on, wherever they lie."""

import hashlib
from collections.abc import Collection as Names
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from liverjax.batch import neighbor_stacks
from liverjax.datasets.content import describe
from liverjax.datasets.in_memory import InMemorySource
from liverjax.datasets.livers import Livers, check_livers, within
from liverjax.datasets.order import AS_THEY_COME, Sampling
from liverjax.datasets.planned import PlannedSource
from liverjax.datasets.slices import PatientSummary, check_one_size, select_patients
from liverjax.errors import SplitError
from liverjax.labels import liver_mask
from liverjax.volume import Segmentation, Volume, check_same_grid


class SourceOptions(NamedTuple):
    """How the slices of some patients become batches.

    Attributes:
        batch_size, sampling, copies, share: see `datasets.planned.PlannedSource`.
        liver_only: whether slices without liver are left out, except as neighbours.
        neighbors: slices of the same patient on each side that come with every slice.
    """

    batch_size: int
    sampling: Sampling = AS_THEY_COME
    liver_only: bool = False
    neighbors: int = 0
    copies: bool = False
    share: tuple[int, int] = (0, 1)


class Collection(Protocol):
    """The patients of one dataset."""

    @property
    def name(self) -> str:
        """Of the dataset."""
        ...

    @property
    def fingerprint(self) -> str:
        """Equal for equal patients."""
        ...

    @property
    def summaries(self) -> Mapping[str, PatientSummary]:
        """What is known of each patient without reading a slice, by name."""
        ...

    def read(self, patient: str) -> tuple[Volume, Segmentation]:
        """The CT and the reference of one patient, on one grid.

        Raises:
            SplitError: there is no such patient.
        """
        ...

    def contents(self, patients: Sequence[str]) -> dict[str, np.ndarray]:
        """What each patient's slices show, see `datasets.content`."""
        ...

    def source(
        self, patients: Sequence[str], options: SourceOptions, livers: Livers | None = None
    ) -> PlannedSource:
        """Batches of the patients' slices.

        Args:
            patients: whose, in this order.
            options: see `SourceOptions`.
            livers: of each patient, to stand for the liver of the reference; tumours outside of
                them are left out, since nothing can be found there.

        Raises:
            SplitError, InputError, ConfigError: no such patient, nothing left, or slices that
                cannot share a batch.
        """
        ...


class VolumeCollection:
    """A `Collection` of volumes in memory.

    Args:
        name: of the dataset.
        volumes: CT and reference by patient, in canonical orientation.
        tumors_unknown: patients whose tumours were not annotated.

    Raises:
        InputError: CT and reference of a patient lie on different grids; names it.
    """

    def __init__(
        self,
        name: str,
        volumes: Mapping[str, tuple[Volume, Segmentation]],
        tumors_unknown: Names[str] = (),
    ) -> None:
        self.name = name
        self._volumes = dict(volumes)
        self.summaries = {}
        for patient, (volume, reference) in self._volumes.items():
            check_same_grid(volume, reference, (f"{patient}: the CT", "its reference"))
            self.summaries[patient] = _summarize(
                volume, reference, tumors_known=patient not in tumors_unknown
            )
        lines = [f"{patient} {each.fingerprint}" for patient, each in self.summaries.items()]
        self.fingerprint = hashlib.sha256("\n".join([name, *sorted(lines)]).encode()).hexdigest()

    def read(self, patient: str) -> tuple[Volume, Segmentation]:
        """See `Collection`."""
        if patient not in self._volumes:
            held = ", ".join(self._volumes)
            raise SplitError(f"{self.name}: does not hold {patient}; it holds {held}")
        return self._volumes[patient]

    def contents(self, patients: Sequence[str]) -> dict[str, np.ndarray]:
        """See `Collection`."""
        return {patient: describe(self.read(patient)[0].hu) for patient in patients}

    def source(
        self, patients: Sequence[str], options: SourceOptions, livers: Livers | None = None
    ) -> PlannedSource:
        """See `Collection`."""
        check_one_size(self.name, select_patients(self.name, self.summaries, patients))
        if livers is not None:
            check_livers(livers, patients, self.summaries)
        images, labels, spacings = [], [], []
        for patient in patients:
            volume, reference = self.read(patient)
            seen = reference.labels
            if livers is not None:
                seen = within(seen, livers[patient])
            chosen = np.arange(len(seen))
            if options.liver_only:
                chosen = np.flatnonzero(liver_mask(seen).any(axis=(1, 2)))
            stacks = neighbor_stacks(chosen, options.neighbors, 0, len(seen) - 1)
            images.append(np.moveaxis(volume.hu[stacks], 1, -1))
            labels.append(seen[chosen, ..., None])
            pixel = (volume.geometry.spacing or (0, 0, 0))[1:]
            spacings.append(np.tile(np.array(pixel, np.float32), (len(chosen), 1)))
        return InMemorySource(
            np.concatenate(images),
            np.concatenate(labels),
            np.concatenate(spacings),
            patients=np.repeat(np.arange(len(labels)), [len(each) for each in labels]),
            batch_size=options.batch_size,
            sampling=options.sampling,
            copies=options.copies,
            share=options.share,
        )


def _summarize(volume: Volume, reference: Segmentation, *, tumors_known: bool) -> PatientSummary:
    digest = hashlib.sha256(volume.hu.tobytes())
    digest.update(reference.labels.tobytes())
    digest.update(repr(volume.geometry.spacing).encode())
    if not tumors_known:
        digest.update(b"tumours not annotated")
    slices, height, width = volume.hu.shape
    return PatientSummary(
        fingerprint=digest.hexdigest(),
        height=height,
        width=width,
        slices=slices,
        liver_slices=int(np.count_nonzero(reference.liver.any(axis=(1, 2)))),
        liver_voxels=int(np.count_nonzero(reference.liver)),
        tumor_voxels=int(np.count_nonzero(reference.tumor)),
        tumors_known=tumors_known,
    )
