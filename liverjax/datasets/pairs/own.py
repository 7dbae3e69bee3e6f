"""One's own images and labels: by patterns of names, in two folders, or a folder per patient."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from liverjax.datasets.pairs.label_map import LabelMap
from liverjax.datasets.pairs.pair import Pair, match_partners, patient_name, stem
from liverjax.errors import InputError
from liverjax.io.archives import is_dicom_file
from liverjax.io.dicom.read_segmentation import is_segmentation_object
from liverjax.io.nifti import is_nifti
from liverjax.io.tree import is_archive, is_junk
from liverjax.wording import listed

_IMAGES, _LABELS = "images", "labels"

Found = list[tuple[str, Path, Path]]
"""Key, image and label of each patient."""


def by_patterns(folder: Path, images: str, labels: str) -> Found:
    """Images and labels by the patterns of their paths below `folder`.

    The first `*` of a pattern stands for the patient, further ones for anything; none of them
    reaches into another folder. An image is a NIfTI file, a DICOM file, or a folder or archive of
    DICOM files; a label file is NIfTI or a DICOM segmentation object.

    Returns:
        Nothing where no image matches.

    Raises:
        InputError: a pattern without `*`, one that leaves the folder, or an image or label
            without its partner.
    """
    told = _matches(folder, labels)
    taken = {path for _, path in told}  # as where *.nii.gz are images and *_seg.nii.gz labels
    shown = [(key, path) for key, path in _matches(folder, images) if path not in taken]
    return match_partners(shown, told, folder) if shown else []


def two_folders(folder: Path) -> Found:
    """`images/` and `labels/` with the same names; nothing where they are not there.

    An image is a NIfTI file, a DICOM file, or a folder or archive of DICOM files; a label file is
    NIfTI or a DICOM segmentation object.

    Raises:
        InputError: an image or label without its partner, or several of one name.
    """
    sides = [folder / _IMAGES, folder / _LABELS]
    if not all(side.is_dir() for side in sides):
        return []
    images = ((stem(p), p) for p in visible(sides[0]) if p.is_dir() or _may_hold_ct(p))
    labels = ((stem(p), p) for p in visible(sides[1]) if _may_hold_labels(p))
    return match_partners(images, labels, folder)


def patient_folders(folder: Path) -> Found:
    """Folders that hold DICOM files, or an archive of them, and one file with their labels.

    That is a NIfTI file, or without any a DICOM segmentation object outside of an archive.

    Raises:
        InputError: a folder with DICOM files holds several files of labels; or it lacks them
            beside another that has them.
    """
    found: Found = []
    without = []
    expected = "expected one label file per CT, NIfTI or a DICOM segmentation, found"
    for below in (path for path in visible(folder) if path.is_dir()):
        files = list(walk(below))
        labels = [path for path in files if is_nifti(path)]
        if not any(is_archive(path.name) or is_dicom_file(path) for path in files):
            continue
        labels = labels or [path for path in files if is_segmentation_object(path)]
        if len(labels) == 1:
            found.append((below.name, below, labels[0]))
        elif labels:
            names = listed([path.relative_to(below).as_posix() for path in labels])
            raise InputError(
                f"{below}: {expected} {names}; liver and tumour belong in one file, and others are "
                "passed over with --images and --labels"
            )
        else:
            without.append(below)
    # Without any labels at all, the folder may be something else.
    if found and without:
        raise InputError(f"{without[0]}: {expected} none")
    return found


def own_pairs(found: Found, label_map: LabelMap | None, where: Path) -> list[Pair]:
    """What was found as patients.

    Raises:
        InputError: no label map was given, and nothing else tells what the values mean.
    """
    if found and label_map is None:
        raise InputError(
            f"{where}: expected to be told what the values of its labels mean; give e.g. "
            "--label_map=liver=1+2,tumor=2, or --label_map=liver=1 where tumours were not annotated"
        )
    return [
        Pair(patient_name(key), image, label, label_map)
        for key, image, label in found
        if label_map is not None
    ]


def walk(folder: Path) -> Iterator[Path]:
    """All files in and below a folder by name, without hidden ones; links are not followed."""
    for path in visible(folder):
        if path.is_file():
            yield path
        elif path.is_dir() and not path.is_symlink():
            yield from walk(path)


def visible(folder: Path) -> Sequence[Path]:
    """What lies in a folder by name, but for hidden files and what systems strew about.

    Such as the Decathlon's `._*`, and the `.unfinished-*` of an export that was interrupted.

    Raises:
        InputError: the folder cannot be listed.
    """
    try:
        return sorted(path for path in folder.iterdir() if not is_junk(path.name))
    except OSError as error:
        raise InputError(f"{folder}: cannot be listed: {error.strerror}") from error


def _may_hold_ct(path: Path) -> bool:
    return is_nifti(path) or is_archive(path.name) or is_dicom_file(path)


def _may_hold_labels(path: Path) -> bool:
    return is_nifti(path) or is_segmentation_object(path)


def _matches(folder: Path, pattern: str) -> list[tuple[str, Path]]:
    """Key and path of everything that a pattern matches."""
    parts = Path(pattern).parts
    if "*" not in pattern or ".." in parts or Path(pattern).is_absolute():
        raise InputError(
            f"{pattern}: expected a pattern below the folder with * for the patient, such as "
            "images/*.nii.gz or */ct.nii.gz"
        )
    pattern = Path(*parts).as_posix()  # without the `./` that no path below the folder has
    texts = ["[^/]*".join(map(re.escape, piece.split("*"))) for piece in pattern.split("*", 1)]
    whole = re.compile("(?P<patient>[^/]+)".join(texts))
    found = []
    for path in sorted(folder.glob(pattern.replace("[", "[[]"))):
        match = whole.fullmatch(path.relative_to(folder).as_posix())
        if match and not any(is_junk(part) for part in path.relative_to(folder).parts):
            found.append((match["patient"], path))
    return found
