"""Which series lie among some files, and which of them is the CT that is meant."""

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
from pydicom.uid import MediaStorageDirectoryStorage

from liverjax.errors import InputError
from liverjax.io.dicom.file import DicomFile, read_dicom
from liverjax.io.dicom.tags import has, integer, text
from liverjax.io.failures import silence
from liverjax.io.tree import File

_GIVE_ONE = "give the folder of one, or its UID to liverjax-predict --series_uid"


class SeriesInfo(NamedTuple):
    """What is known of a series without decoding a pixel.

    Attributes:
        uid: SeriesInstanceUID, empty where not given.
        modality, description: as its first file says.
        folder: of its first file.
        slices: image planes, those of multi-frame files included; 0 for what is no image.
        spacing: mm along (z, y, x) as the first file says; None where it does not.
        is_ct: whether its images are CT.
        patient: what tells patients apart; never shown.
    """

    uid: str
    modality: str
    description: str
    folder: PurePosixPath
    slices: int
    spacing: tuple[float, float, float] | None
    is_ct: bool
    patient: tuple[str, str]


class FoundSeries(NamedTuple):
    """A series and the paths of its files; `images` is empty where they must be read again."""

    info: SeriesInfo
    paths: set[PurePosixPath]
    images: list[DicomFile]


class Damaged(NamedTuple):
    """A file that looks like DICOM and cannot be read, and why."""

    path: PurePosixPath
    error: InputError


@silence()  # once; file by file it would take as long as the reading
def find_series(files: Iterable[File], damaged: list[Damaged] | None = None) -> list[FoundSeries]:
    """All DICOM series among `files`, CT or not.

    Of several CT series no pixels are kept, as they may be a whole archive.

    Args:
        files: of the series, and any others.
        damaged: where given, damaged files are added to it in place of raising.

    Raises:
        InputError: a damaged DICOM file; names it.
    """
    found: dict[tuple[str, bool], FoundSeries] = {}
    only_ct: FoundSeries | None = None
    several = False
    for file in files:
        try:
            image = read_dicom(file)
        except InputError as error:
            if damaged is None:
                raise
            damaged.append(Damaged(file.path, error))
            continue
        if image is None or image.storage_class == MediaStorageDirectoryStorage:
            continue
        key = text(image.dataset, "SeriesInstanceUID"), image.is_ct
        if key not in found:
            found[key] = FoundSeries(_describe(image), set(), [])
            if image.is_ct and only_ct is not None:
                several = True
                only_ct.images.clear()
            elif image.is_ct:
                only_ct = found[key]
        series = found[key]
        series.paths.add(file.path)
        if image.is_ct and not several:
            series.images.append(image)
        slices = series.info.slices + _frames(image)
        found[key] = series._replace(info=series.info._replace(slices=slices))
    return list(found.values())


def choose_series(found: Sequence[FoundSeries], where: str, series_uid: str | None) -> FoundSeries:
    """The CT series that is meant: the one asked for, or else the one with most slices.

    Args:
        found: all series of the input.
        where: what to call the input in an error.
        series_uid: SeriesInstanceUID of the one that is meant.

    Raises:
        InputError: there is none; two have most slices, or they are of several patients; lists
            all series.
    """
    every = "\n".join(f"  {describe_series(series.info)}" for series in found)
    candidates = [series for series in found if series.info.is_ct]
    if series_uid is not None:
        wanted = [series for series in found if series.info.uid == series_uid]
        if not wanted:
            raise InputError(f"{where}: no series {series_uid}; found:\n{every or '  none'}")
        candidates = [series for series in wanted if series.info.is_ct]
        if not candidates:
            raise InputError(
                f"{where}: series {series_uid}: Modality: expected CT, found "
                f"{wanted[0].info.modality or 'none'}"
            )
    if not candidates:
        if found:
            raise InputError(f"{where}: Modality: expected a CT series, found only:\n{every}")
        raise InputError(
            f"{where}: expected CT images in DICOM format, found none; of a NIfTI image, give the "
            "file itself"
        )
    if len(candidates) == 1:
        return candidates[0]
    if len({series.info.patient for series in candidates}) > 1:
        raise InputError(
            f"{where}: PatientID and PatientName: expected the CT of one patient, found "
            f"{len(candidates)} CT series of several; {_GIVE_ONE}:\n{every}"
        )
    first, second = sorted(candidates, key=lambda series: -series.info.slices)[:2]
    if first.info.slices == second.info.slices:
        raise InputError(
            f"{where}: expected one CT series with most slices, found several with "
            f"{first.info.slices}; {_GIVE_ONE}:\n{every}"
        )
    return first


def describe_series(info: SeriesInfo) -> str:
    """A series in one line; names no patient."""
    spacing = "spacing unknown"
    if info.spacing is not None:
        spacing = f"{' x '.join(f'{step:g}' for step in info.spacing)} mm"
    return (
        f"{info.folder}: {info.modality or 'no modality'}, {info.slices} slices, {spacing}, "
        f"{info.description or 'no description'}, SeriesInstanceUID {info.uid or '(none)'}"
    )


def _frames(image: DicomFile) -> int:
    """Image planes of a file; 0 for one without pixels."""
    if not has(image.dataset, "Rows"):
        return 0
    try:
        return integer(image.dataset, "NumberOfFrames", image.path, default=1)
    except InputError:
        return 1  # what is wrong with it is said where it is read


def _describe(image: DicomFile) -> SeriesInfo:
    dataset = image.dataset
    return SeriesInfo(
        uid=text(dataset, "SeriesInstanceUID"),
        modality=text(dataset, "Modality") or image.storage_class.name,
        description=text(dataset, "SeriesDescription"),
        folder=image.path.parent,
        slices=0,
        spacing=_spacing(image),
        is_ct=image.is_ct,
        patient=(text(dataset, "PatientID"), text(dataset, "PatientName")),
    )


def _spacing(image: DicomFile) -> tuple[float, float, float] | None:
    """Voxel size as a file says, for a description; None where it does not."""
    dataset = image.dataset
    try:
        if "SharedFunctionalGroupsSequence" in dataset:
            dataset = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
        thickness = dataset.get("SpacingBetweenSlices") or dataset.SliceThickness
        z, (y, x) = float(thickness), np.array(dataset.PixelSpacing, dtype=np.float64)
    except Exception:  # whatever a missing or damaged tag raises
        return None
    return z, float(y), float(x)
