"""TFDS builder of 3D-IRCADb-01."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds

from liverjax.datasets.ircadb import layout
from liverjax.datasets.patients_dataset_builder import (
    PatientFiles,
    PatientsBuilder,
    prepare_from,
)
from liverjax.datasets.splits import patient_split
from liverjax.errors import InputError
from liverjax.volume import Volume

HOMEPAGE = "https://www.ircad.fr/research/data-sets/liver-segmentation-3d-ircadb-01/"
_PATIENTS = range(1, 21)


class Builder(PatientsBuilder):
    """3D-IRCADb-01 by axial slices: one split per patient, in slice order."""

    VERSION = tfds.core.Version("1.1.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {
        "1.1.0": "What each slice shows, to find it again under another name.",
        "1.0.0": "Slices in order, one split per patient.",
    }
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        f"Fetch 3D-IRCADb-01 from {HOMEPAGE} and put it into manual_dir, packed or unpacked: "
        "3Dircadb1.zip, or 3Dircadb1.N.zip or a folder 3Dircadb1.N for each patient N. A folder "
        "train with patients and masks, as the thesis' notebooks lay it out, is read as well. Any "
        "of the 20 patients will do."
    )

    def _info(self) -> tfds.core.DatasetInfo:
        return self.patients_info(HOMEPAGE, "CC BY-NC-ND")

    def find(self, folders: Sequence[Path]) -> Mapping[str, PatientFiles]:
        """See `PatientsBuilder.find`; all patients lie in one folder."""
        if len(folders) != 1:
            raise InputError(f"expected one folder of 3D-IRCADb-01, found {len(folders)}")
        return {
            patient_split(number): PatientFiles(
                partial(layout.fingerprint, source), partial(_read, source)
            )
            for number, source in sorted(layout.find_patients(folders[0]).items())
        }

    def missing(self, found: Mapping[str, PatientFiles]) -> list[str]:
        """Those of the 20 who were not found."""
        return [name for name in map(patient_split, _PATIENTS) if name not in found]


def _read(source: layout.PatientSource) -> tuple[Volume, np.ndarray]:
    patient = layout.read_patient(source)
    return patient.volume, patient.labels


def prepare(manual_dir: Path, data_dir: Path) -> Builder:
    """Builds the dataset below `data_dir`, or reuses it; see `Builder.download_and_prepare`."""
    builder = Builder(data_dir=data_dir)
    prepare_from(builder, [manual_dir])
    return builder
