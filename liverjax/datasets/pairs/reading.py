"""Reads a CT with its labels, and tells whether their files are still the same."""

import hashlib
import logging
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from liverjax.datasets.pairs.pair import Pair
from liverjax.errors import InputError
from liverjax.io.archives import open_tree
from liverjax.io.ct import read_ct
from liverjax.io.dicom.read_segmentation import read_segment_numbers
from liverjax.io.nifti import is_nifti, read_label_values
from liverjax.io.tree import walk
from liverjax.labels import Label
from liverjax.volume import (
    Geometry,
    Segmentation,
    Volume,
    canonical_geometry,
    canonical_volume,
    check_axial,
    check_same_grid,
    to_canonical,
)

_LOGGER = logging.getLogger(__name__)
_CHUNK = 1 << 20


def read_pair(pair: Pair, spacing_known: bool | None = None) -> tuple[Volume, Segmentation]:
    """The CT and its labels, both with their axes to head, back and left.

    Args:
        pair: where they lie.
        spacing_known: of a NIfTI image, see `io.nifti.read_nifti`; its labels follow it.

    Raises:
        InputError: a file cannot be read, the CT is oblique, the labels lie on another grid or are
            no whole numbers, or none of them is liver; names the file.
    """
    volume = canonical_volume(read_ct(pair.image, spacing_known=spacing_known))
    check_axial(volume.geometry, str(pair.image))
    values, geometry = _label_values(pair.label, volume)
    labels = pair.label_map.apply(values)
    check_same_grid(volume, Segmentation(labels, geometry), (str(pair.image), str(pair.label)))
    others = values[labels == Label.BACKGROUND]
    found = ", ".join(map(str, np.unique(others[others != 0])[:12].tolist())) or "0"
    if not labels.any():
        raise InputError(
            f"{pair.label}: expected a liver by the label map {pair.label_map}, found the values "
            f"{found}"
        )
    if others.any():
        told = "%s: the values %s are background by the label map %s"
        _LOGGER.info(told, pair.label, found, pair.label_map)
    # Placed alike to a thousandth of a millimetre; from here on exactly.
    return volume, Segmentation(labels, volume.geometry)


def _label_values(path: Path, volume: Volume) -> tuple[np.ndarray, Geometry]:
    """What a label file says, its axes as those of the CT; of DICOM, numbers of segments."""
    if not is_nifti(path):
        return read_segment_numbers(path, volume.hu.shape, volume.geometry), volume.geometry
    known = volume.geometry.spacing_known
    values, geometry = read_label_values(path, spacing_known=known)
    placed = canonical_geometry(values.shape, geometry)
    return np.ascontiguousarray(to_canonical(values, geometry)), placed


def fingerprint(pair: Pair, spacing_known: bool | None = None) -> str:
    """SHA-256 (hex) of what decides a patient's examples: files, label map, and what is known.

    It covers name, size and checksum of the files, so it is the same wherever they lie.

    Raises:
        InputError: a file cannot be read.
    """
    lines = [f"{pair.label_map} {spacing_known}"]
    for part, path in (("image", pair.image), ("label", pair.label)):
        lines += sorted(f"{part} {line}" for line in _contents(path))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _contents(path: Path) -> Iterator[str]:
    """Name, size and checksum of a file, or of all files of a folder or archive."""
    if is_nifti(path):
        yield f"{path.name} {_size_and_crc32(path)}"
        return
    with open_tree(path) as tree:
        for file in walk(tree):
            yield f"{file.path.name} {file.size} {file.crc32():08x}"


def _size_and_crc32(path: Path) -> str:
    size = crc = 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                size, crc = size + len(chunk), zlib.crc32(chunk, crc)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    return f"{size} {crc:08x}"
