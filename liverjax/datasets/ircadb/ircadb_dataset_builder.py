"""TFDS builder of 3D-IRCADb-01."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds
from absl import logging
from tqdm import tqdm

from liverjax.datasets.content import BYTES
from liverjax.datasets.ircadb import layout
from liverjax.datasets.slices import PatientSummary, changes, slice_examples
from liverjax.datasets.splits import patient_split
from liverjax.errors import InputError

HOMEPAGE = "https://www.ircad.fr/research/data-sets/liver-segmentation-3d-ircadb-01/"
_PATIENTS = range(1, 21)


class Builder(tfds.core.GeneratorBasedBuilder):
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
        """Features as `slices.slice_examples` yields them; metadata is filled while building."""
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": _pixels(np.int16),
                    "label": _pixels(np.uint8),
                    "patient": tfds.features.Text(),
                    "slice_index": np.int32,
                    "spacing": tfds.features.Tensor(shape=(3,), dtype=np.float32),
                    "position": tfds.features.Tensor(shape=(3,), dtype=np.float32),
                    "liver_pixels": np.int32,
                    "tumor_pixels": np.int32,
                    "content": tfds.features.Tensor(shape=(BYTES,), dtype=np.uint8),
                }
            ),
            homepage=HOMEPAGE,
            license="CC BY-NC-ND",
            metadata=tfds.core.MetadataDict(),
            disable_shuffling=True,
        )

    def download_and_prepare(
        self,
        *,
        download_dir: Any = None,
        download_config: tfds.download.DownloadConfig | None = None,
        **options: Any,
    ) -> None:
        """Builds the dataset, or reuses what was prepared from the same files.

        Raises:
            InputError: the folder is not there or holds no patient, a patient cannot be read, or
                the dataset was prepared from other files.
        """
        config = download_config or tfds.download.DownloadConfig()
        folder = None if config.manual_dir is None else Path(config.manual_dir)
        if folder is not None and not (folder.is_dir() and any(folder.iterdir())):
            raise InputError(
                f"{folder}: no folder, or an empty one. {self.MANUAL_DOWNLOAD_INSTRUCTIONS}"
            )
        if self.data_path.exists() and not config.download_mode.overwrite_dataset:
            if folder is not None:
                self._refuse_other_inputs(folder)
            else:
                self._check_default_folder(download_dir)
        super().download_and_prepare(
            download_dir=download_dir, download_config=download_config, **options
        )

    def _check_default_folder(self, download_dir: Any) -> None:
        """As `_refuse_other_inputs`, for the folder that TFDS reads where none is given.

        All datasets share it, and it need not be there where a prepared one is only loaded: with
        no patient in it there is nothing to compare.
        """
        folder = Path(download_dir or self.data_dir_root / "downloads") / "manual"
        try:
            layout.find_patients(folder)
        except InputError:
            return
        self._refuse_other_inputs(folder)

    def _refuse_other_inputs(self, folder: Path) -> None:
        """Raises InputError unless the dataset was prepared from the patients in `folder`."""
        sources = layout.find_patients(folder)
        found = {
            patient_split(number): layout.fingerprint(source)
            for number, source in tqdm(sorted(sources.items()), "Comparing", unit=" patients")
        }
        prepared = self.info.metadata["patients"]
        lines = changes({name: s["fingerprint"] for name, s in prepared.items()}, found)
        if lines:
            raise InputError(
                f"{folder}: {self.name} was prepared from other files ({'; '.join(lines)}); "
                "to prepare it anew use `python -m experiments.build_dataset --rebuild` or "
                "`tfds build --overwrite`, to keep both choose another data_dir"
            )
        logging.info("The inputs of %s are unchanged.", self.name)

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        """One split per patient found, read one after the other."""
        sources = layout.find_patients(Path(dl_manager.manual_dir))
        missing = [patient_split(number) for number in _PATIENTS if number not in sources]
        if missing:
            logging.info("Building without %s, which are not there.", ", ".join(missing))
        self.info.metadata.update(patients={}, missing=missing)
        return {
            patient_split(number): self._generate_examples(number, source)
            for number, source in sorted(sources.items())
        }

    def _generate_examples(
        self, number: int, source: layout.PatientSource
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """A patient's slices in order, each with its index as the key to keep that order."""
        name = patient_split(number)
        summary = PatientSummary(layout.fingerprint(source))
        patient = layout.read_patient(source)
        for example in slice_examples(name, patient.volume, patient.labels):
            summary.add(example)
            self.info.metadata["patients"][name] = dataclasses.asdict(summary)
            yield example["slice_index"], example


def _pixels(dtype: type[np.generic]) -> tfds.features.Tensor:
    """Feature of one slice [H, W, 1] of any size."""
    return tfds.features.Tensor(shape=(None, None, 1), dtype=dtype, encoding="zlib")


def prepare(manual_dir: Path, data_dir: Path) -> Builder:
    """Builds the dataset below `data_dir`, or reuses it; see `Builder.download_and_prepare`."""
    builder = Builder(data_dir=data_dir)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=manual_dir)
    )
    return builder
