"""Where the patients of 3D-IRCADb-01 lie, archived or in the thesis' folders, and their content."""

import contextlib
import enum
import hashlib
import logging
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from liverjax.datasets.ircadb import archive_layout, thesis_layout
from liverjax.datasets.ircadb.parts import Parts, read_ct, read_structure, read_tumors
from liverjax.errors import InputError
from liverjax.io.archives import open_tree
from liverjax.io.tree import Folder, find
from liverjax.labels import merge_masks
from liverjax.volume import Volume

_LOGGER = logging.getLogger(__name__)

_PACKED = re.compile(r".*ircad.*|train", re.IGNORECASE)
_MAX_DEPTH = 4
_EXPECTED = (
    "expected 3Dircadb1.zip, or 3Dircadb1.N.zip or a folder 3Dircadb1.N for each patient N, "
    "with PATIENT_DICOM and MASKS_DICOM inside, packed or not; or a folder train with patients "
    "and masks inside, as the thesis' notebooks lay it out"
)


class Layout(enum.Enum):
    """How the files of a patient are laid out."""

    ARCHIVE = "archive"
    THESIS = "thesis"


class PatientSource(NamedTuple):
    """Where a patient lies.

    Attributes:
        number: of the patient.
        root: folder or archive in whose tree (`io.archives.open_tree`) the patient lies.
        path: there, of the patient's folder; in the thesis' layout of the one for all patients.
        layout: how the files below it are laid out.
    """

    number: int
    root: Path
    path: PurePosixPath
    layout: Layout = Layout.ARCHIVE


class Patient(NamedTuple):
    """A patient: CT, and `labels` uint8 [D, H, W] on its grid (see `labels.Label`)."""

    number: int
    volume: Volume
    labels: np.ndarray


def find_patients(root: Path) -> dict[int, PatientSource]:
    """Finds patients by their names, without opening what is packed inside them.

    Augmented copies of slices in the thesis' layout are counted in the log and left out.

    Args:
        root: a folder or zip archive that holds patients, or is one; other data sets may lie
            beside them.

    Returns:
        By number, in order. A patient that lies there twice, such as packed and extracted, is
        taken once, and only then are files compared. Left out, with a warning, is patient 3 where
        the thesis' folders have no tumour of it: see `_shows_its_tumor`.

    Raises:
        InputError: nothing was found; a patient lies there twice with different files; an
            archive is damaged.
    """
    found: dict[int, list[PatientSource]] = defaultdict(list)
    with open_tree(root) as tree:
        for source in _search(root, tree, _MAX_DEPTH):
            if _shows_its_tumor(source):
                found[source.number].append(source)
        if not found:
            raise InputError(f"{root}: no patient of 3D-IRCADb-01 here; {_EXPECTED}")
    return {number: _agreed(sources) for number, sources in sorted(found.items())}


def read_patient(source: PatientSource) -> Patient:
    """Reads a patient's CT and masks.

    The tumours are the union of all liver-tumour masks, cut to the liver mask.

    Raises:
        InputError: something is missing or damaged, or a mask does not fit the CT; names the file.
    """
    with open_parts(source) as parts:
        series = read_ct(parts.ct)
        liver = read_structure(parts.liver, series)
        tumor = read_tumors(parts, series)
    return Patient(source.number, series.volume, merge_masks(liver, tumor))


def fingerprint(source: PatientSource) -> str:
    """SHA-256 (hex) of the content that a patient's labels and CT are made of.

    It covers name, size and checksum of the CT's files and of the liver's and tumours' masks, so
    it is the same wherever the patient lies and however it is packed. A patient in the thesis'
    layout, whose files have other names, differs from the same patient's archive.

    Raises:
        InputError: something is missing or damaged.
    """
    with open_parts(source) as (ct, liver, tumors):
        lines = sorted(
            f"{part.name}/{file.path.name} {file.size} {file.crc32():08x}"
            for part in (ct, liver, *tumors)
            for file in part.files
        )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@contextlib.contextmanager
def open_parts(source: PatientSource) -> Iterator[Parts]:
    """The files of a patient, which can be read inside the context only.

    Raises:
        InputError: a part is missing, or is there twice with different files.
    """
    of_layout = {Layout.ARCHIVE: archive_layout.find_parts, Layout.THESIS: thesis_layout.find_parts}
    with open_tree(source.root) as tree:
        yield of_layout[source.layout](source.number, find(tree, source.path))


def _search(root: Path, folder: Folder, depth: int) -> Iterator[PatientSource]:
    """The patients in `folder`, itself included.

    The folder may be shared with other data sets: of archives only those that are named after
    this one, or as the thesis' folder, are opened.
    """
    number = archive_layout.patient_number(folder)
    if number is not None:
        yield PatientSource(number, root, folder.path)
        return
    folders = folder.open().folders
    if any(below.name.upper() == "PATIENT_DICOM" for below in folders):
        raise InputError(
            f"{folder.path}: holds PATIENT_DICOM, but its name does not say which patient it is; "
            "name it 3Dircadb1.N"
        )
    thesis = thesis_layout.find_slices(folders)
    if thesis:
        _tell_of_copies(folder, thesis)
        for number in thesis.of_patient:
            yield PatientSource(number, root, folder.path, Layout.THESIS)
        own = (thesis_layout.CT_FOLDER, thesis_layout.MASKS_FOLDER)
        folders = [below for below in folders if below.name.lower() not in own]
    for below in folders:
        if depth > 0 and (not below.is_archive or _PACKED.fullmatch(below.name)):
            yield from _search(root, below, depth - 1)


def _shows_its_tumor(source: PatientSource) -> bool:
    """False for patient 3 without a tumour, as the thesis' notebooks lay it out.

    They merge MASKS_DICOM alone, and this patient's tumour is in LABELLED_DICOM: read as it is, the
    patient would teach that a tumour is none.
    """
    if source.layout is not Layout.THESIS or source.number != archive_layout.LABELLED_PATIENT:
        return True
    with open_parts(source) as parts:
        series = read_ct(parts.ct)
        shown = any(read_structure(p._replace(blank=None), series).any() for p in parts.tumors)
    if not shown:
        _LOGGER.warning(
            "%s: left out patient %d: its tumour, which the download has in LABELLED_DICOM, is not "
            "among the masks; `python -m experiments.export_thesis` lays it out with it",
            source.path,
            source.number,
        )
    return shown


def _tell_of_copies(folder: Folder, slices: thesis_layout.Slices) -> None:
    """Logs how many augmented copies of slices are left out, of each kind."""
    if slices.copies:
        kinds = ", ".join(f"{count} _{kind}" for kind, count in sorted(slices.copies.items()))
        _LOGGER.info(
            "%s: left out %d augmented copies of slices (%s); training makes its own",
            folder.path,
            slices.copies.total(),
            kinds,
        )


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
