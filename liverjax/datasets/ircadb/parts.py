"""What is read of a patient, wherever its files lie: CT, liver and liver tumours."""

import enum
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np

from liverjax.errors import InputError
from liverjax.io.dicom.mask import read_mask
from liverjax.io.dicom.series import Series, read_files
from liverjax.io.jpeg_mask import decode_mask
from liverjax.io.tree import File


class Storage(enum.Enum):
    """How the slices of a part are stored."""

    DICOM = "dicom"
    JPEG = "jpeg"


class Part(NamedTuple):
    """Slices of a patient that belong together.

    Attributes:
        name: inside the patient, independent of how it is packed, e.g. "MASKS_DICOM/liver".
        where: the folder that holds the files.
        files: the slices.
        storage: how to read them; JPEG for masks only.
        value: stored value that is meant; None for every value above 0 (DICOM), or above
            `io.jpeg_mask.THRESHOLD`.
        blank: why a mask without a voxel is refused; None where it is not.
    """

    name: str
    where: PurePosixPath
    files: list[File]
    storage: Storage = Storage.DICOM
    value: int | None = None
    blank: str | None = None


class Parts(NamedTuple):
    """What is read of a patient; one without liver tumours has no `tumors`, or blank ones."""

    ct: Part
    liver: Part
    tumors: list[Part]


def read_ct(ct: Part) -> Series:
    """The CT, made of every file of its part.

    Raises:
        InputError: a file is damaged, is no slice, or does not fit the others; names it.
    """
    series = read_files(lambda: ct.files, str(ct.where))
    if len(series.paths) != len(ct.files):
        raise InputError(
            f"{ct.where}: expected {len(ct.files)} CT slices, as many as files, "
            f"found {len(series.paths)}"
        )
    return series


def read_structure(part: Part, series: Series) -> np.ndarray:
    """Boolean mask [D, H, W] of a structure on the grid of the CT `series`.

    Raises:
        InputError: a file is damaged, missing, or does not fit the CT; names it. The mask is
            blank and may not be.
    """
    if part.storage is Storage.JPEG:
        mask = _read_jpegs(part, series)
    else:
        mask = read_mask(part.where, part.files, series, part.value)
    if part.blank is not None and not mask.any():
        raise InputError(f"{part.where}: {part.blank}")
    return mask


def read_tumors(parts: Parts, series: Series) -> np.ndarray:
    """Boolean mask [D, H, W]: union of all liver tumours as stored, not cut to the liver.

    Raises:
        InputError: as `read_structure`.
    """
    union = np.zeros(series.volume.hu.shape, dtype=bool)
    for part in parts.tumors:
        union |= read_structure(part, series)
    return union


def _read_jpegs(part: Part, series: Series) -> np.ndarray:
    """A mask with a JPEG file per slice, which has the name of the CT's file and a suffix."""
    by_name = {file.path.stem: file for file in part.files}
    for path in series.paths:
        if path.name not in by_name:
            raise InputError(
                f"{part.where / path.name}.jpg: missing; a slice without tumour has a black one"
            )
    extra = sorted(set(by_name) - {path.name for path in series.paths})
    if extra:
        raise InputError(
            f"{by_name[extra[0]].path}: expected a slice {extra[0]} in {series.paths[0].parent}, "
            "found none"
        )
    shape = series.volume.hu.shape[1:]
    files = [by_name[path.name] for path in series.paths]
    return np.stack([decode_mask(file.read(), shape, file.path) for file in files])
