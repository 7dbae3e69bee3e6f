"""TFDS builder of LiTS, the Decathlon's Task03, BTCV and one's own CTs, in one dataset."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds

from liverjax.datasets.pairs.layouts import EXPECTED, PairOptions, find_all_pairs
from liverjax.datasets.pairs.pair import Pair
from liverjax.datasets.pairs.reading import fingerprint, read_pair
from liverjax.datasets.patients_dataset_builder import (
    PatientFiles,
    PatientsBuilder,
    prepare_from,
)
from liverjax.volume import Volume

HOMEPAGE = "https://competitions.codalab.org/competitions/17094"


class Builder(PatientsBuilder):
    """LiTS and what is laid out like it, by axial slices: one split per patient, in slice order.

    Attributes:
        options: what cannot be told from the files.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {
        "1.0.0": "Slices in order, one split per patient, and what each slice shows.",
    }
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"Into manual_dir belong CTs with labels: {EXPECTED}."

    options = PairOptions()

    def _info(self) -> tfds.core.DatasetInfo:
        return self.patients_info(
            HOMEPAGE, "That of the files read: LiTS CC BY-NC-ND, MSD CC BY-SA, BTCV CC BY"
        )

    def find(self, folders: Sequence[Path]) -> Mapping[str, PatientFiles]:
        """See `PatientsBuilder.find`."""
        known = self.options.spacing_known
        return {
            name: PatientFiles(
                partial(fingerprint, pair, known),
                partial(_read, pair, known),
                pair.label_map.tumors_known,
            )
            for name, pair in find_all_pairs(folders, self.options).items()
        }


def _read(pair: Pair, spacing_known: bool | None) -> tuple[Volume, np.ndarray]:
    volume, reference = read_pair(pair, spacing_known)
    return volume, reference.labels


def prepare(folders: Sequence[Path], data_dir: Path, options: PairOptions) -> Builder:
    """Builds the dataset below `data_dir`, or reuses it; see `Builder.download_and_prepare`."""
    builder = Builder(data_dir=data_dir)
    builder.options = options
    prepare_from(builder, folders)
    return builder
