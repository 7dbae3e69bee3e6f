"""A CT and its labels in files, and what they are called as patients."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from liverjax.datasets.known_overlap import OWN
from liverjax.datasets.pairs.label_map import LabelMap
from liverjax.errors import InputError
from liverjax.io.nifti import SUFFIXES
from liverjax.wording import listed

LITS_MAP = LabelMap((1, 2), (2,))
BTCV_MAP = LabelMap((6,))

_PUBLIC = re.compile(r"(?:volume-|liver_)\d+|img\d{4}")
_NUMBERED = re.compile(r"(?:volume-|liver_)0*(\d+)")
_OTHER = re.compile(r"[^A-Za-z0-9_-]+")


class Pair(NamedTuple):
    """Where a patient's CT and labels lie.

    Attributes:
        name: of the patient, which can be that of a split in a prepared dataset.
        image: NIfTI file, or a DICOM file, folder or archive.
        label: NIfTI file, or DICOM segmentation object, whose values are numbers of segments.
        label_map: what its values mean.
    """

    name: str
    image: Path
    label: Path
    label_map: LabelMap


def stem(path: Path) -> str:
    """The name of a file without the suffix of a NIfTI file, an archive or a DICOM file."""
    name = path.name
    for suffix in (*sorted(SUFFIXES, key=len, reverse=True), ".zip", ".dcm"):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def patient_name(text: str) -> str:
    """The name of a patient whose files say `text`.

    Names of LiTS, the Decathlon and BTCV stay, so that they are known for what they are. Others
    get `own-` before them: `patient30` or `30` would pass for a number of LiTS.
    """
    if _PUBLIC.fullmatch(text):
        return text
    return f"{OWN}{_OTHER.sub('_', text).removeprefix(OWN)}"


def match_partners(
    images: Iterable[tuple[str, Path]], labels: Iterable[tuple[str, Path]], where: Path
) -> list[tuple[str, Path, Path]]:
    """Every image with its label, by the key that both have, in the order of keys.

    Raises:
        InputError: two of one key, or one without its partner; names the file.
    """
    shown, told = _by_key(images, "image"), _by_key(labels, "label file")
    for here, there, missing in ((shown, told, "a label file"), (told, shown, "an image")):
        alone = [path for key, path in here.items() if key not in there]
        if alone:
            raise InputError(
                f"{where}: expected {missing} for every file, found none for "
                f"{listed([str(path.relative_to(where)) for path in alone])}"
            )
    return [(key, shown[key], told[key]) for key in sorted(shown, key=_natural)]


def check_names(pairs: Sequence[Pair]) -> None:
    """Refuses a patient who is there twice.

    Letter case aside, as file systems may take such names for one; LiTS and the Decathlon have
    the same patients under the same numbers.

    Raises:
        InputError: names both files.
    """
    seen: dict[str, Pair] = {}
    for pair in pairs:
        number = _NUMBERED.fullmatch(pair.name)
        key = f"LiTS {number[1]}" if number else pair.name.casefold()
        if key in seen:
            raise InputError(
                f"{pair.image} and {seen[key].image}: both are the patient {pair.name}; leave one "
                "out, or rename it"
            )
        seen[key] = pair


def _by_key(files: Iterable[tuple[str, Path]], kind: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for key, path in files:
        if key in found:
            raise InputError(f"{path} and {found[key]}: expected one {kind} per patient, found two")
        found[key] = path
    return found


def _natural(text: str) -> list[tuple[int, str]]:
    """For 10 to come after 9."""
    return [
        (int(piece), "") if piece.isdecimal() else (-1, piece)
        for piece in re.split(r"(\d+)", text)
        if piece
    ]
