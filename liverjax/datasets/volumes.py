"""Collections of whole volumes in memory: synthetic patients, and CTs with labels in files."""

import fnmatch
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from liverjax.datasets.collection import VolumeCollection
from liverjax.datasets.pairs.label_map import LabelMap
from liverjax.datasets.pairs.layouts import PairOptions, find_all_pairs
from liverjax.datasets.pairs.pair import Pair
from liverjax.datasets.pairs.reading import read_pair
from liverjax.datasets.phantom.patient import PhantomSpec
from liverjax.datasets.phantom.phantom import Phantom, make_phantom
from liverjax.datasets.splits import patient_split
from liverjax.errors import InputError
from liverjax.labels import merge_masks
from liverjax.volume import Geometry, Segmentation, Volume
from liverjax.wording import listed

_LOGGER = logging.getLogger(__name__)

PAIRS = "lits"
"""Name of the dataset that pairs of files make, read into memory or prepared."""


def phantom_volumes(numbers: Sequence[int], spec: PhantomSpec | None = None) -> VolumeCollection:
    """Phantoms as they would be read from their archives; every fifth has no tumour."""
    spec = spec or PhantomSpec()
    phantoms = [make_phantom(number, spec) for number in numbers]
    return VolumeCollection(
        "phantom",
        {patient_split(each.number): (each.volume, _reference(each)) for each in phantoms},
    )


def read_pairs(
    folders: Sequence[Path],
    options: PairOptions | None = None,
    coarsen: int = 1,
    exclude: Sequence[str] = (),
) -> VolumeCollection:
    """LiTS, the Decathlon's Task03, BTCV and one's own patients, as one dataset in memory.

    Args:
        folders: each of one data set, see `pairs.layouts`.
        options: what cannot be told from the files.
        coarsen: rows and columns of a slice that become one: the mean of their HU, and liver or
            tumour where at least half of them are.
        exclude: patients that are left out unread, by name or by a pattern such as volume-3?.

    Raises:
        InputError: there is none, nobody whom `exclude` names, one without its partner, one that
            cannot be read, or whose sides `coarsen` does not divide.
    """
    options = options or PairOptions()
    volumes, unknown = {}, set()
    pairs = _without(exclude, find_all_pairs(folders, options))
    for name, pair in pairs.items():
        volume, reference = read_pair(pair, options.spacing_known)
        if any(side % coarsen for side in volume.hu.shape[1:]):
            raise InputError(
                f"{pair.image}: expected sides that {coarsen} divides, found {volume.hu.shape[1:]}"
            )
        coarse = _coarsen(volume, reference, coarsen) if coarsen > 1 else (volume, reference)
        volumes[name] = coarse
        if not pair.label_map.tumors_known:
            unknown.add(name)
    _warn_of_no_tumor({name: pair.label_map for name, pair in pairs.items()}, volumes)
    return VolumeCollection(PAIRS, volumes, unknown)


def _without(exclude: Sequence[str], pairs: Mapping[str, Pair]) -> dict[str, Pair]:
    """All patients but those that a pattern is of."""
    for pattern in exclude:
        if not fnmatch.filter(pairs, pattern):
            raise InputError(
                f"exclude: expected a patient, found {pattern}; there are {listed([*pairs])}"
            )
    left = {
        name: pair
        for name, pair in pairs.items()
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in exclude)
    }
    if not left:
        raise InputError(f"exclude: expected that somebody is left, found {', '.join(exclude)}")
    return left


def _warn_of_no_tumor(
    label_maps: Mapping[str, LabelMap], volumes: Mapping[str, tuple[Volume, Segmentation]]
) -> None:
    """Says where a label map names tumours that nobody has: its values may be wrong."""
    for label_map in {m for m in label_maps.values() if m.tumors_known}:
        members = [name for name, each in label_maps.items() if each == label_map]
        if not any(volumes[name][1].tumor.any() for name in members):
            _LOGGER.warning(
                "%s: no voxel is a tumour by the label map %s, so that they count as free of "
                "tumours; are these its values?",
                listed(members),
                label_map,
            )


def _reference(phantom: Phantom) -> Segmentation:
    masks = [mask for name, mask in phantom.structures.items() if name.startswith("livertumor")]
    nothing = np.zeros(phantom.volume.hu.shape, bool)
    labels = merge_masks(phantom.structures["liver"], np.logical_or.reduce([nothing, *masks]))
    return Segmentation(labels, phantom.volume.geometry)


def _coarsen(volume: Volume, reference: Segmentation, factor: int) -> tuple[Volume, Segmentation]:
    """Both with squares of `factor` pixels made one, whose centre is theirs."""
    scale = np.diag([1.0, factor, factor, 1.0])
    scale[1:3, 3] = (factor - 1) / 2
    geometry = Geometry(volume.geometry.affine @ scale, volume.geometry.spacing_known)
    hu = np.rint(_means(volume.hu, factor)).astype(np.int16)
    masks = (_means(mask, factor) >= 0.5 for mask in (reference.liver, reference.tumor))
    return Volume(hu, geometry), Segmentation(merge_masks(*masks), geometry)


def _means(values: np.ndarray, factor: int) -> np.ndarray:
    depth, height, width = values.shape
    blocks = values.reshape(depth, height // factor, factor, width // factor, factor)
    return blocks.mean(axis=(2, 4), dtype=np.float32)
