"""Which CTs and labels lie in a folder, in the layouts that data sets come in."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from liverjax.datasets.pairs import own
from liverjax.datasets.pairs.dataset_json import read_label_map
from liverjax.datasets.pairs.label_map import LabelMap
from liverjax.datasets.pairs.pair import (
    BTCV_MAP,
    LITS_MAP,
    Pair,
    check_names,
    match_partners,
    patient_name,
    stem,
)
from liverjax.errors import InputError
from liverjax.io.nifti import is_nifti
from liverjax.wording import listed

EXPECTED = (
    "expected LiTS (volume-N.nii.gz, segmentation-N.nii.gz), the Decathlon's or nnU-Net's raw "
    "folder (imagesTr, labelsTr), BTCV (imgNNNN.nii.gz, labelNNNN.nii.gz), the folders images and "
    "labels with files of the same names, or a folder per patient with DICOM files and a NIfTI "
    "file or a DICOM segmentation of labels; or give --images and --labels"
)

_TRAINING, _TRUTH = "imagesTr", "labelsTr"
_CHANNEL = re.compile(r"(?P<case>.+)_(?P<channel>\d{4})")
_DECATHLON = re.compile(r"liver_\d+")
# By what LiTS and BTCV call an image and its labels.
_BY_NAME = {
    "LiTS": (re.compile(r"volume-(\d+)"), re.compile(r"segmentation-(\d+)"), "volume-", LITS_MAP),
    "BTCV": (re.compile(r"img(\d{4})"), re.compile(r"label(\d{4})"), "img", BTCV_MAP),
}
_WITHOUT_LABELS = "testing"  # BTCV's folder of the images whose labels are kept back

_Keyed = list[tuple[str, Path]]


class PairOptions(NamedTuple):
    """What cannot be told from the files.

    Attributes:
        label_map: what the values of one's own labels mean.
        images, labels: patterns of one's own files, see `own.by_patterns`; both or none.
        spacing_known: see `io.nifti.read_nifti`.
    """

    label_map: LabelMap | None = None
    images: str = ""
    labels: str = ""
    spacing_known: bool | None = None


def find_all_pairs(folders: Sequence[Path], options: PairOptions | None = None) -> dict[str, Pair]:
    """The patients of several folders, by name.

    Args:
        folders: each of one data set.
        options: the label map and the patterns are for those of the folders that are one's own.

    Raises:
        InputError: a folder holds no patient, or data sets of several kinds; a CT or labels lack
            their partner; a patient is there twice; or options that no folder has a use for, such
            as patterns that match nowhere.
    """
    options = options or PairOptions()
    if bool(options.images) != bool(options.labels):
        raise InputError("--images and --labels: expected both or none of them")
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder; {EXPECTED}")
    given = options.label_map
    pairs: list[Pair] = []
    for folder, matched in zip(folders, _by_patterns(folders, options), strict=True):
        pairs += own.own_pairs(matched, given, folder) if matched else _find_pairs(folder, given)
    check_names(pairs)
    if given is not None and all(pair.label_map is not given for pair in pairs):
        raise InputError(
            f"--label_map={given}: expected a folder whose labels it is needed for; what is there "
            "says itself what its labels mean. With --images and --labels it is taken nevertheless"
        )
    return {pair.name: pair for pair in pairs}


def _by_patterns(folders: Sequence[Path], options: PairOptions) -> list[own.Found]:
    """What the patterns match in each folder, which is nothing where none are given.

    Raises:
        InputError: patterns that match in no folder, or see `own.by_patterns`.
    """
    if not options.images:
        return [[] for _ in folders]
    found = [own.by_patterns(folder, options.images, options.labels) for folder in folders]
    if not any(found):
        raise InputError(
            f"--images={options.images} with --labels={options.labels}: expected a CT that matches "
            f"below {listed([str(folder) for folder in folders])}, found none"
        )
    return found


def _find_pairs(folder: Path, given: LabelMap | None) -> list[Pair]:
    """The patients of a folder in one of the layouts known; see `find_all_pairs`."""
    training = _training_folder(folder)
    if training is not None:
        return _training_pairs(training, given)
    named = {name: pairs for name in _BY_NAME if (pairs := _named_pairs(folder, name))}
    if len(named) > 1:
        raise InputError(
            f"{folder}: expected one data set, found {' and '.join(named)}; give the folder of each"
        )
    for pairs in named.values():
        return pairs
    finders: tuple[Callable[[Path], own.Found], ...] = (own.two_folders, own.patient_folders)
    for finder in finders:
        found = finder(folder)
        if found:
            return own.own_pairs(found, given, folder)
    raise InputError(f"{folder}: no CT with labels here; {EXPECTED}")


def _named_pairs(folder: Path, dataset: str) -> list[Pair]:
    """LiTS or BTCV, in whatever folders its files lie."""
    image, label, prefix, label_map = _BY_NAME[dataset]
    found: tuple[_Keyed, _Keyed] = ([], [])
    for path in filter(is_nifti, own.walk(folder)):
        folders = (part.lower() for part in path.relative_to(folder).parts[:-1])
        for side, pattern in zip(found, (image, label), strict=True):
            match = pattern.fullmatch(stem(path))
            if match and _WITHOUT_LABELS not in folders:
                side.append((match[1], path))
    if not found[0]:
        return []
    matched = match_partners(*found, folder)
    return [Pair(f"{prefix}{key}", a, b, label_map) for key, a, b in matched]


def _training_folder(folder: Path) -> Path | None:
    """Where `imagesTr` and `labelsTr` lie: in the folder, or in one below it."""
    below = [path for path in own.visible(folder) if path.is_dir()]
    found = [path for path in (folder, *below) if (path / _TRAINING).is_dir()]
    if len(found) > 1:
        raise InputError(
            f"{folder}: expected one data set, found {', '.join(path.name for path in found)}; "
            "give the folder of each"
        )
    if found and not (found[0] / _TRUTH).is_dir():
        raise InputError(f"{found[0]}: expected {_TRUTH} beside {_TRAINING}, found none")
    return found[0] if found else None


def _training_pairs(folder: Path, given: LabelMap | None) -> list[Pair]:
    """`imagesTr` and `labelsTr`, of the Decathlon, of nnU-Net, or with the names of LiTS or BTCV.

    What `dataset.json` says of the labels goes before what is known by their names.
    """
    images, labels = (
        [(stem(path), path) for path in own.walk(folder / name) if is_nifti(path)]
        for name in (_TRAINING, _TRUTH)
    )
    images = _first_channels(images, labels)
    labels, known = _called_as_images(images, labels)
    found = match_partners(images, labels, folder)
    if not found:
        raise InputError(f"{folder / _TRAINING}: expected NIfTI files, found none")
    if known is None and given is None and all(_DECATHLON.fullmatch(key) for key, *_ in found):
        known = LITS_MAP
    label_map = read_label_map(folder) or known
    if label_map is None:
        return own.own_pairs(found, given, folder)
    return [Pair(patient_name(key), a, b, label_map) for key, a, b in found]


def _first_channels(images: _Keyed, labels: _Keyed) -> _Keyed:
    """nnU-Net's images by case: of several channels the first, which `dataset.json` says is CT.

    Others stay as they are. Those of AMOS or WORD end in four digits too, as their labels do.
    """
    cases = [_CHANNEL.fullmatch(key) for key, _ in images]
    if not all(cases) or not {key for key, _ in images}.isdisjoint(key for key, _ in labels):
        return images
    return [
        (case["case"], path)
        for case, (_, path) in zip(cases, images, strict=True)
        if case and int(case["channel"]) == 0
    ]


def _called_as_images(images: _Keyed, labels: _Keyed) -> tuple[_Keyed, LabelMap | None]:
    """Labels by the names of their images where all files have those of LiTS or of BTCV.

    Returns:
        The labels, which otherwise stay as they are, and what is known of their values.
    """
    for image, label, prefix, label_map in _BY_NAME.values():
        matches = [label.fullmatch(key) for key, _ in labels]
        if matches and all(matches) and all(image.fullmatch(key) for key, _ in images):
            files = zip(matches, labels, strict=True)
            return [(f"{prefix}{match[1]}", path) for match, (_, path) in files if match], label_map
    return labels, None
