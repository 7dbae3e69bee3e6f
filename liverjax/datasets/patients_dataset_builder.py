"""What the TFDS builders share: a split per patient, and files that are compared before reuse."""

import abc
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds
from absl import logging
from tqdm import tqdm

from liverjax.datasets.content import BYTES
from liverjax.datasets.slices import PatientSummary, changes, slice_examples
from liverjax.errors import InputError
from liverjax.volume import Volume


class PatientFiles(NamedTuple):
    """A patient whose files were found.

    Attributes:
        fingerprint: computes that of the files.
        read: the CT, and labels uint8 [D, H, W] on its grid.
        tumors_known: False where tumours were not annotated.
    """

    fingerprint: Callable[[], str]
    read: Callable[[], tuple[Volume, np.ndarray]]
    tumors_known: bool = True


class PatientsBuilder(
    tfds.core.GeneratorBasedBuilder,
    skip_registration=True,  # type: ignore[call-arg]
):
    """CT by axial slices: one split per patient, in slice order.

    Attributes:
        folders: where the patients lie; by default TFDS' `manual_dir`.
    """

    folders: Sequence[Path] = ()

    @abc.abstractmethod
    def find(self, folders: Sequence[Path]) -> Mapping[str, PatientFiles]:
        """The patients in some folders, by the name of their split and in order.

        Raises:
            InputError: there is none, or one that cannot be told from another.
        """

    def missing(self, found: Mapping[str, PatientFiles]) -> list[str]:
        """Patients of the original collection who were not found."""
        return []

    def patients_info(self, homepage: str, license_name: str) -> tfds.core.DatasetInfo:
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
            homepage=homepage,
            license=license_name,
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
            InputError: a folder is not there or holds no patient, a patient cannot be read, or
                the dataset was prepared from other files.
        """
        config = download_config or tfds.download.DownloadConfig()
        given = [] if config.manual_dir is None else [Path(config.manual_dir)]
        folders = [*self.folders] or given
        for folder in folders:
            if not (folder.is_dir() and any(folder.iterdir())):
                raise InputError(
                    f"{folder}: no folder, or an empty one. {self.MANUAL_DOWNLOAD_INSTRUCTIONS}"
                )
        if self.data_path.exists() and not config.download_mode.overwrite_dataset:
            if folders:
                self._refuse_other_inputs(folders)
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
            self.find([folder])
        except InputError:
            return
        self._refuse_other_inputs([folder])

    def _refuse_other_inputs(self, folders: Sequence[Path]) -> None:
        """Raises InputError unless the dataset was prepared from the patients in `folders`."""
        found = {
            name: files.fingerprint()
            for name, files in tqdm(self.find(folders).items(), "Comparing", unit=" patients")
        }
        prepared = self.info.metadata["patients"]
        lines = changes({name: s["fingerprint"] for name, s in prepared.items()}, found)
        if lines:
            raise InputError(
                f"{', '.join(map(str, folders))}: {self.name} was prepared from other files "
                f"({'; '.join(lines)}); to prepare it anew use `python -m "
                f"experiments.build_dataset --dataset={self.name} --rebuild` or `tfds build "
                "--overwrite`, to keep both choose another data_dir"
            )
        logging.info("The inputs of %s are unchanged.", self.name)

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        """One split per patient found, read one after the other."""
        found = self.find([*self.folders] or [Path(dl_manager.manual_dir)])
        missing = self.missing(found)
        if missing:
            logging.info("Building without %s, which are not there.", ", ".join(missing))
        self.info.metadata.update(patients={}, missing=missing)
        return {name: self._generate_examples(name, files) for name, files in found.items()}

    def _generate_examples(
        self, name: str, files: PatientFiles
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """A patient's slices in order, each with its index as the key to keep that order."""
        summary = PatientSummary(files.fingerprint(), tumors_known=files.tumors_known)
        volume, labels = files.read()
        for example in slice_examples(name, volume, labels):
            summary.add(example)
            self.info.metadata["patients"][name] = dataclasses.asdict(summary)
            yield example["slice_index"], example


def _pixels(dtype: type[np.generic]) -> tfds.features.Tensor:
    """Feature of one slice [H, W, 1] of any size."""
    return tfds.features.Tensor(shape=(None, None, 1), dtype=dtype, encoding="zlib")


def prepare_from(builder: PatientsBuilder, folders: Sequence[Path]) -> None:
    """Builds a dataset from some folders, or reuses it; see `download_and_prepare`."""
    builder.folders = tuple(folders)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=folders[0])
    )
