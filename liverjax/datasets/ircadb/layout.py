"""Where the patients of 3D-IRCADb-01 lie, in every state of packing, and what they hold."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from liverjax.datasets.ircadb.structures import Part, find_parts
from liverjax.errors import InputError
from liverjax.io.archives import open_tree
from liverjax.io.dicom import Series, read_files, read_mask
from liverjax.io.tree import Folder, find
from liverjax.labels import merge_masks
from liverjax.volume import Volume

_PATIENT = re.compile(r"3dircadb1\.(\d+)", re.IGNORECASE)
_PACKED = re.compile(r"ircad", re.IGNORECASE)
_MAX_DEPTH = 4
_EXPECTED = (
    "expected 3Dircadb1.zip, or 3Dircadb1.N.zip or a folder 3Dircadb1.N for each patient N, "
    "with PATIENT_DICOM and MASKS_DICOM inside, packed or not"
)


class PatientSource(NamedTuple):
    """Where a patient lies: `path` in the tree that `io.archives.open_tree(root)` shows."""

    number: int
    root: Path
    path: PurePosixPath


class Patient(NamedTuple):
    """A patient: CT, and `labels` uint8 [D, H, W] on its grid (see `labels.Label`)."""

    number: int
    volume: Volume
    labels: np.ndarray


def find_patients(root: Path) -> dict[int, PatientSource]:
    """Finds patients by their names, without opening what is packed inside them.

    Args:
        root: a folder or zip archive that holds patients, or is one; other data sets may lie
            beside them.

    Returns:
        By number, in order. A patient that lies there twice, such as packed and extracted, is
        taken once, and only then are files compared.

    Raises:
        InputError: nothing was found; a patient lies there twice with different files; an
            archive is damaged.
    """
    found: dict[int, list[PatientSource]] = defaultdict(list)
    with open_tree(root) as tree:
        for number, path in _search(tree, _MAX_DEPTH):
            found[number].append(PatientSource(number, root, path))
        if not found:
            raise InputError(f"{root}: no patient of 3D-IRCADb-01 here; {_EXPECTED}")
    return {number: _agreed(sources) for number, sources in sorted(found.items())}


def read_patient(source: PatientSource) -> Patient:
    """Reads a patient's CT and masks.

    The tumours are the union of all liver-tumour masks, cut to the liver mask.

    Raises:
        InputError: something is missing or damaged, or a mask does not fit the CT; names the file.
    """
    with open_tree(source.root) as tree:
        parts = find_parts(source.number, find(tree, source.path))
        series = read_files(parts.ct.files, str(parts.ct.where))
        if len(series.paths) != len(parts.ct.files):
            raise InputError(
                f"{parts.ct.where}: expected {len(parts.ct.files)} CT slices, as many as files, "
                f"found {len(series.paths)}"
            )
        liver = _read_part(parts.liver, series)
        tumor = np.zeros_like(liver)
        for part in parts.tumors:
            tumor |= _read_part(part, series)
    return Patient(source.number, series.volume, merge_masks(liver, tumor))


def fingerprint(source: PatientSource) -> str:
    """SHA-256 (hex) of the content that a patient's labels and CT are made of.

    It covers name, size and checksum of the CT's files and of the liver's and tumours' masks, so
    it is the same wherever the patient lies and however it is packed.

    Raises:
        InputError: something is missing or damaged.
    """
    with open_tree(source.root) as tree:
        ct, liver, tumors = find_parts(source.number, find(tree, source.path))
        lines = sorted(
            f"{part.name}/{file.path.name} {file.size} {file.crc32():08x}"
            for part in (ct, liver, *tumors)
            for file in part.files
        )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _search(folder: Folder, depth: int) -> Iterator[tuple[int, PurePosixPath]]:
    """Number and path of the patients in `folder`, itself included.

    The folder may be shared with other data sets: of archives only those that are named after
    this one are opened.
    """
    named = _PATIENT.fullmatch(folder.name)
    if named:
        yield int(named[1]), folder.path
        return
    folders = folder.open().folders
    if any(below.name.upper() == "PATIENT_DICOM" for below in folders):
        raise InputError(
            f"{folder.path}: holds PATIENT_DICOM, but its name does not say which patient it is; "
            "name it 3Dircadb1.N"
        )
    for below in folders:
        if depth > 0 and (not below.is_archive or _PACKED.search(below.name)):
            yield from _search(below, depth - 1)


def _agreed(sources: Sequence[PatientSource]) -> PatientSource:
    """The first of several copies of a patient, after a check that they are equal."""
    first, *others = sources
    for other in others:
        if fingerprint(first) != fingerprint(other):
            raise InputError(
                f"{first.path} and {other.path} are both patient {first.number} but hold "
                "different files; keep one of them"
            )
    return first


def _read_part(part: Part, series: Series) -> np.ndarray:
    """Boolean mask [D, H, W] of a structure."""
    mask = read_mask(part.where, part.files, series, part.value)
    if part.value is not None and not mask.any():
        # Going on would make a patient with a tumour one without.
        raise InputError(
            f"{part.where}: expected the tumour as value {part.value}, found it nowhere"
        )
    return mask
