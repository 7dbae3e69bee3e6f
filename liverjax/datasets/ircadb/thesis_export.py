"""Writes patients of 3D-IRCADb-01 in the layout that the thesis' notebooks train from."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from liverjax.datasets.ircadb.layout import Layout, PatientSource, open_parts
from liverjax.datasets.ircadb.parts import Parts, read_ct, read_structure, read_tumors
from liverjax.datasets.ircadb.thesis_layout import (
    CT_FOLDER,
    MASKS_FOLDER,
    TUMOR_FOLDER,
    TUMOR_SUFFIX,
    liver_folder,
    slice_name,
    sort_slices,
)
from liverjax.errors import InputError
from liverjax.io.archives import open_tree
from liverjax.io.atomic import make_folder, staging
from liverjax.io.dicom.mask import with_255
from liverjax.io.dicom.series import Series
from liverjax.io.jpeg_mask import decode_mask, encode_mask
from liverjax.io.tree import File

_TUMORS = PurePosixPath(MASKS_FOLDER, TUMOR_FOLDER)


class ExportedPatient(NamedTuple):
    """What was exported of a patient.

    Attributes:
        number: of the patient.
        slices: of its CT.
        liver_voxels: of the liver mask.
        liver_rewritten: liver masks that were not 0 and 255, and now are.
        tumor_slices: slices with tumour.
        tumor_voxels: in the union of all liver-tumour masks, not cut to the liver.
        jpeg_changed: voxels of that union that its JPEG files give back otherwise.
        written: files that were not there before; 0 for a patient that was there already.
    """

    number: int
    slices: int
    liver_voxels: int
    liver_rewritten: int
    tumor_slices: int
    tumor_voxels: int
    jpeg_changed: int
    written: int


def export_patient(source: PatientSource, top: Path) -> ExportedPatient:
    """Writes a patient's CT files as they are, liver masks of 0 and 255, and tumours as JPEG.

    Liver masks keep their bytes, too, unless they have other values than 0 and 255, which the
    notebooks would divide away. A file that is there already and equal is left, so that a patient
    can be exported again, also after a stop in between. New files are written under other names
    first and then moved in, those of the CT last: a patient of whom a part is missing has masks
    without CT, and is not found or refused by `layout`.

    Args:
        source: a patient as downloaded.
        top: folder that gets `patients` and `masks`; made where it is not there.

    Raises:
        InputError: the patient cannot be read or is laid out this way already, or `top` holds
            other files of it. Nothing of the patient is then written.
        OSError: a file cannot be written.
    """
    number = source.number
    if source.layout is not Layout.ARCHIVE:
        raise InputError(
            f"{source.path}: patient {number} is laid out for the notebooks already; give what "
            "was downloaded"
        )
    with open_parts(source) as parts:
        series = read_ct(parts.ct)
        liver = read_structure(parts.liver, series)
        tumor = read_tumors(parts, series)
        slices = _slices(number, parts, series, tumor)
        written = _merge(number, top, tumor.shape[1:], _files(number, slices))
        return ExportedPatient(
            number=number,
            slices=len(slices),
            liver_voxels=int(np.count_nonzero(liver)),
            liver_rewritten=sum(item.liver.read() != item.liver_255 for item in slices),
            tumor_slices=int(tumor.any(axis=(1, 2)).sum()),
            tumor_voxels=int(np.count_nonzero(tumor)),
            jpeg_changed=sum(_jpeg_changed(item) for item in slices),
            written=written,
        )


class _Slice(NamedTuple):
    """A slice with its masks, and what becomes of them.

    Attributes:
        name: in the layout.
        ct, liver: its files.
        liver_255: the liver's file with 0 and 255.
        tumor: boolean [H, W].
        tumor_jpeg: the same as a file.
    """

    name: str
    ct: File
    liver: File
    liver_255: bytes
    tumor: np.ndarray
    tumor_jpeg: bytes


def _slices(number: int, parts: Parts, series: Series, tumor: np.ndarray) -> list[_Slice]:
    """The slices of a patient in order; they keep the numbers that their files have."""
    ct, liver = ({file.path.name: file for file in part.files} for part in (parts.ct, parts.liver))
    return [
        _Slice(
            name=slice_name(number, int(name.rpartition("_")[2])),
            ct=ct[name],
            liver=liver[name],
            liver_255=with_255(liver[name]),
            tumor=mask,
            tumor_jpeg=encode_mask(mask),
        )
        for name, mask in zip((path.name for path in series.paths), tumor, strict=True)
    ]


def _files(number: int, slices: Sequence[_Slice]) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Path below the layout's top and content of every file, in the order to move them in."""
    for item in slices:
        yield _TUMORS / f"{item.name}{TUMOR_SUFFIX}", item.tumor_jpeg
        yield PurePosixPath(MASKS_FOLDER, liver_folder(number), item.name), item.liver_255
    for item in slices:
        yield PurePosixPath(CT_FOLDER, item.name), item.ct.read()


def _jpeg_changed(item: _Slice) -> int:
    """How many pixels of a slice's tumour mask its JPEG file gives back otherwise."""
    decoded = decode_mask(item.tumor_jpeg, item.tumor.shape, _TUMORS / item.name)
    return int(np.count_nonzero(decoded != item.tumor))


def _merge(
    number: int,
    top: Path,
    shape: tuple[int, ...],
    files: Iterable[tuple[PurePosixPath, bytes]],
) -> int:
    """Adds a patient's files to what is there; returns how many were new.

    Args:
        number: of the patient.
        top: folder of the layout.
        shape: (H, W) of the slices.
        files: path below `top` and content, in the order to move them in.

    Raises:
        InputError: a file is there with other content, or one of a slice that is not in `files`.
    """
    make_folder(top)
    there = _present(number, top)
    new: list[PurePosixPath] = []
    with staging(top / f".unfinished-1.{number}") as side:
        for path, data in files:
            if path in there:
                there.remove(path)
                if not _equal(top / path, data, shape):
                    raise _differs(top / path, number)
                continue
            (side / path).parent.mkdir(parents=True, exist_ok=True)
            with (side / path).open("xb") as opened:
                opened.write(data)
            new.append(path)
        if there:
            raise _differs(top / min(there), number)
        for path in new:
            make_folder((top / path).parent)
            (side / path).replace(top / path)
    return len(new)


def _present(number: int, top: Path) -> set[PurePosixPath]:
    """A patient's slices and masks below `top`; augmented copies are not among them."""
    found: set[PurePosixPath] = set()
    livers = PurePosixPath(MASKS_FOLDER, liver_folder(number))
    for place, suffix in ((PurePosixPath(CT_FOLDER), ""), (livers, ""), (_TUMORS, TUMOR_SUFFIX)):
        if (top / place).exists():
            with open_tree(top / place) as folder:
                slices = sort_slices(folder, suffix).of_patient.get(number, {})
                found |= {place / file.path.name for file in slices.values()}
    return found


def _equal(file: Path, data: bytes, shape: tuple[int, ...]) -> bool:
    """True where a file holds `data`, or the same mask as JPEG: encoders differ by version."""
    old = file.read_bytes()
    if old == data or file.suffix != TUMOR_SUFFIX:
        return old == data
    path = PurePosixPath(file)
    try:
        return bool((decode_mask(old, shape, path) == decode_mask(data, shape, path)).all())
    except InputError:  # damaged, or of another size
        return False


def _differs(path: Path, number: int) -> InputError:
    return InputError(
        f"{path}: there already, and not what patient {number} would get; give an empty folder, "
        "or take the patient's files away"
    )
