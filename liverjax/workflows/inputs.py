"""Which CTs the inputs of `predict` are, and what the folders of their results are called."""

import logging
import os
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from liverjax.datasets.ircadb.archive_layout import patient_number
from liverjax.datasets.ircadb.folders import innermost, named
from liverjax.errors import InputError
from liverjax.io.archives import open_tree
from liverjax.io.dicom.file import read_dicom
from liverjax.io.dicom.tags import text
from liverjax.io.nifti import SUFFIXES, is_nifti
from liverjax.io.tree import DICOM_HEAD, File, Folder, is_dicom, only_one, walk
from liverjax.wording import listed
from liverjax.workflows.case_files import FILES

_LOGGER = logging.getLogger(__name__)

_PATIENT_DICOM = "PATIENT_DICOM"
# LiTS and BTCV keep the reference beside the CT, whose name is this with the same number.
_REFERENCES = ((re.compile(r"segmentation-(\d+)"), "volume-"), (re.compile(r"label(\d{4})"), "img"))
_STUDY = ("StudyInstanceUID", "PatientID", "PatientName")


class Case(NamedTuple):
    """One CT to segment.

    Attributes:
        name: of the folder of its results; empty where they lie straight in the output.
        path: what to read.
        label: what to call it on the terminal: as it was given, or from the name of the folder
            of patients on; the whole path where another CT would be called the same.
    """

    name: str
    path: Path
    label: str


class _Part(NamedTuple):
    """A folder or archive in a folder of patients.

    Attributes:
        folder: itself.
        study: tells it from others; None where it is damaged.
        images: the folder in it that the CT lies in, as far as that is known.
    """

    folder: Folder
    study: tuple[str, ...] | None
    images: Folder


def find_cases(inputs: Sequence[Path]) -> list[Case]:
    """The CTs that some inputs are.

    An input is a NIfTI file, a folder or zip archive of DICOM files, or a folder of patients.
    That is one that holds no DICOM file itself and no PATIENT_DICOM, but

    - NIfTI files, of which each is a CT (`segmentation-N` of LiTS is left out beside `volume-N`,
      and `labelNNNN` of BTCV beside `imgNNNN`), or
    - two or more folders or archives, packed or not, that are patients of 3D-IRCADb-01, or whose
      CTs belong to different studies or patients. A study's folders of series are one CT.

    A patient who lies there both packed and extracted is taken once, and folders without CT are
    passed over; the log says so. An archive is never a folder of patients.

    Args:
        inputs: paths; one that is given twice counts once.

    Returns:
        In the order of the inputs. A single input that is one CT has no name. The others are
        called after their files without .nii, .nii.gz or .zip; where two names are equal, letter
        case aside, the later gets "-2" and so on.

    Raises:
        InputError: a folder of patients holds NIfTI files as well as folders of DICOM, or one
            patient packed and extracted with different files.
    """
    found: dict[str, Case] = {}
    alone = True
    for path in inputs:
        patients = _patients(path)
        alone = alone and not patients
        for each in patients or [path]:
            label = str(path) if each is path else f"{_own_name(path)}/{each.name}"
            found.setdefault(_absolute(each), Case(_stem(each), each, label))
    cases = list(found.values())
    if alone and len(cases) == 1:
        return [cases[0]._replace(name="")]
    labels = Counter(case.label for case in cases)
    cases = [
        case._replace(label=str(case.path)) if labels[case.label] > 1 else case for case in cases
    ]
    names = _unique([case.name for case in cases])
    return [case._replace(name=name) for case, name in zip(cases, names, strict=True)]


def _patients(path: Path) -> list[Path]:
    """The CTs in a folder of patients; none where `path` is something else."""
    if not path.is_dir():
        return []
    with open_tree(path) as tree:
        try:
            folders, files = tree.open()
            if named(folders, _PATIENT_DICOM) or any(map(_is_dicom, files)):
                return []
        except InputError:
            return []  # reading it as a CT says what is wrong
        images = _images(files)
        parts = [part for folder in folders if (part := _part(folder)) is not None]
        if images and parts:
            raise InputError(
                f"{path}: expected NIfTI files or folders of DICOM files, found both: "
                f"{images[0]} and {parts[0].folder.path.name}; give each as an --input"
            )
        if images:
            return [path / name for name in images]
        patients = _without_copies(parts)
        if len({part.study for part in patients} - {None}) < 2:
            return []
        taken = [part.folder.path.name for part in patients]
        with_ct = [part.folder.path.name for part in parts]
        without = [name for below in folders if (name := below.path.name) not in with_ct]
        _say("lies here twice, read once", [name for name in with_ct if name not in taken])
        _say("holds no CT, passed over", without)
        return [path / name for name in taken]


def _images(files: Iterable[File]) -> list[str]:
    """Names of the CTs among the NIfTI files in a folder; results of `predict` are none."""
    found = [file.path.name for file in files if is_nifti(Path(file.path.name))]
    names = [name for name in found if name not in FILES]
    results = [name for name in found if name in FILES]
    _say("named like a result of this program, passed over; give it as --input", results)
    stems = {_stem(Path(name)) for name in names}
    return [name for name in names if not _is_reference(_stem(Path(name)), stems)]


def _is_reference(name: str, stems: Collection[str]) -> bool:
    """Whether a file is called as the labels of a CT that is there too."""
    matches = ((pattern.fullmatch(name), ct) for pattern, ct in _REFERENCES)
    return any(match is not None and f"{ct}{match[1]}" in stems for match, ct in matches)


def _part(folder: Folder) -> _Part | None:
    """What a folder in a folder of patients is; None where it holds no CT.

    The first CT image found says which study it is; of a 3D-IRCADb-01 patient the name does, as
    each of its masks is a study of its own.
    """
    damaged = False
    try:
        number = patient_number(folder)
        if number is not None:
            images = named(innermost(folder).open().folders, _PATIENT_DICOM)
            if images:
                return _Part(folder, ("3D-IRCADb-01", str(number)), images[0])
        for file in walk(folder):
            try:
                image = read_dicom(file) if _is_dicom(file) else None
            except InputError:
                damaged = True
                continue
            if image is not None and image.is_ct:
                return _Part(folder, tuple(text(image.dataset, tag) for tag in _STUDY), folder)
    except InputError:  # an archive that cannot be listed
        damaged = True
    return _Part(folder, None, folder) if damaged else None


def _without_copies(parts: Sequence[_Part]) -> list[_Part]:
    """Takes what lies both packed and extracted once; of a known patient the CT is compared."""
    kept = [part for part in parts if part.study is None]
    groups: dict[str, list[_Part]] = defaultdict(list)
    for part in parts:
        if part.study is not None:
            groups[part.folder.name].append(part)
    for first, *others in groups.values():
        only_one([part.images for part in (first, *others)], "delete one, or give one as --input")
        kept.append(first)
    return [part for part in parts if part in kept]


def _say(what: str, names: Sequence[str]) -> None:
    if names:
        _LOGGER.info("%s: %s", listed(names), what)


def _is_dicom(file: File) -> bool:
    return is_dicom(file.head(DICOM_HEAD))


def _absolute(path: Path) -> str:
    """A path without `..`; unlike `Path.resolve`, links keep their names."""
    return os.path.abspath(path)  # noqa: PTH100


def _own_name(path: Path) -> str:
    """The last part of a path; also of one such as `..`."""
    return Path(_absolute(path)).name


def _stem(path: Path) -> str:
    """The name of an input without the suffix of its kind."""
    name = _own_name(path)
    for suffix in (*sorted(SUFFIXES, key=len, reverse=True), ".zip"):
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
            break
    return name or "case"


def _unique(names: Sequence[str]) -> list[str]:
    """Names that differ in more than letter case, as file systems may take such for one."""
    reserved = {name.casefold() for name in names}
    taken: set[str] = set()
    unique = []
    for name in names:
        candidate, number = name, 1
        while candidate.casefold() in taken or (number > 1 and candidate.casefold() in reserved):
            number += 1
            candidate = f"{name}-{number}"
        taken.add(candidate.casefold())
        unique.append(candidate)
    return unique
