"""What a CT slice shows, in a few bits, to find the same slice again under another name.

A slice is clipped to HU that every soft-tissue window shows, averaged over a grid of 64 x 64 cells
whatever its size in pixels, and each cell is compared with its surroundings: brighter, darker, or
too alike to tell, as in air. HU that were windowed to 8 bits and read as 0 to 255 keep which cell
is the brighter one.

The agreement of two slices is the count of cells told alike less those told unlike, by the cells
told in the slice that has fewer, at best over the eight ways to flip and turn a square: 1 for a
slice and itself. Slices with too few cells told match nothing. What is cropped, shifted or turned
by other angles is not found.

Measured on 3D-IRCADb-01 patient 17, LiTS volumes 1 to 6, five volumes of BTCV, and three families
of 20 phantoms, of 36 x 256 x 256, 16 x 96 x 96 and 12 x 64 x 64 voxels:

    the same slice of patient 17, windowed to 8 bits (-160..240, -125..275,
    -200..300, 0..200), as HU or as grey levels, turned or not              0.89 or more
    ... at half the resolution, with noise of 30 HU, or through JPEG        0.90 or more
    ... every fourth pixel along both sides; with a gamma of 0.6            0.77; 0.75 or more
    slices of different patients, the twelve real ones, each with each      0.24 or less
    slices of different phantoms, of each of the three families             0.42, 0.33, 0.32 or less
    neighbouring slices of patient 17                                       0.82 or more

Two slices are the same from `SAME` on, amid the gap. Of slices whose histograms were equalised
more than half are found, so that a patient is, but a single slice may not be.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from liverjax.errors import InputError, SplitError
from liverjax.io.atomic import replacing

SAME = 0.6
"""Agreement from which on two slices are the same."""

_LOWEST, _HIGHEST = -100, 200  # HU
_CELLS = 64  # along each side
_BLUR = 1.25  # cells; standard deviation of what a cell's surroundings are
_CONTRAST = 12  # HU between a cell and its surroundings from which on it is told
_FEWEST = 328  # cells told, 8 % of all; a slice with fewer shows too little
_SMALLEST = 16  # pixels along a side; in smaller images too few cells differ of themselves
_CHUNK = 16  # slices that are described at a time
_BLOCK = 512  # slices that are compared at a time
_RECORD = 1  # version of what is described and how; goes up with either

BYTES = 2 * _CELLS * _CELLS // 8
"""Length of a slice's descriptor: a bit for each brighter cell, then one for each darker cell."""


class Duplicate(NamedTuple):
    """Two slices that show the same.

    Attributes:
        first, second: their indices in the two sets compared.
        agreement: from `SAME` to 1.
    """

    first: int
    second: int
    agreement: float


def describe(hu: np.ndarray) -> np.ndarray:
    """Describes what slices show.

    Args:
        hu: numbers [N, H, W] in HU, or grey levels 0 to 255 of a window.

    Returns:
        uint8 [N, BYTES]. Slices of less than 16 pixels along a side show nothing.
    """
    count, height, width = hu.shape
    told = np.zeros((count, 2, _CELLS, _CELLS), bool)
    rows, columns, blur = _area_mean(height), _area_mean(width).T, _gaussian()
    for start in range(0, count if min(height, width) >= _SMALLEST else 0, _CHUNK):
        chunk = hu[start : start + _CHUNK].astype(np.float32)
        np.clip(chunk, _LOWEST, _HIGHEST, out=chunk)
        # As one product, which is faster than one for each slice.
        strips = chunk.reshape(-1, width) @ columns
        cells = rows @ strips.reshape(-1, height, _CELLS)
        contrast = cells - blur @ cells @ blur.T
        told[start : start + _CHUNK, 0] = contrast > _CONTRAST
        told[start : start + _CHUNK, 1] = contrast < -_CONTRAST
    return np.packbits(told.reshape(count, 8 * BYTES), axis=1)


def find_duplicates(first: np.ndarray, second: np.ndarray) -> list[Duplicate]:
    """The pairs of slices, one of each set, that show the same; flipped and turned ones too.

    Args:
        first, second: from `describe`, uint8 [M, BYTES] and [N, BYTES].

    Returns:
        By falling agreement. Neighbouring slices of one patient resemble each other, so that a
        slice may be in several pairs.

    Raises:
        InputError: a set is not from `describe`.
    """
    for content in (first, second):
        _check_form(content, "content of slices")
    found = []
    for start in range(0, len(second), _BLOCK):
        turned = [*_turned(_signs(second[start : start + _BLOCK]))]
        for above in range(0, len(first), _BLOCK):
            agreement = _agreement(_signs(first[above : above + _BLOCK]), turned)
            for row, column in np.argwhere(agreement >= SAME).tolist():
                pair = (above + row, start + column, float(agreement[row, column]))
                found.append(Duplicate(*pair))
    return sorted(found, key=lambda pair: (-pair.agreement, pair.first, pair.second))


def check_contents_disjoint(sides: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Refuses a slice on two sides, under whatever name; a single one is a leak.

    Args:
        sides: by side and patient, the slices from `describe`, e.g.
            {"train": {"patient01": content}, "test": {"patient04": content}}.

    Raises:
        SplitError: names the patients whose slices agree most, their sides and slices.
        InputError: content that is not from `describe`.
    """
    for (one, members), (other, others) in itertools.combinations(sides.items(), 2):
        if not members or not others:
            continue
        found = find_duplicates(*(np.concatenate([*m.values()]) for m in (members, others)))
        if not found:
            continue
        owner, owners = _owners(members), _owners(others)
        patients = {(owner[pair.first][0], owners[pair.second][0]) for pair in found}
        (patient, index), (twin, place) = owner[found[0].first], owners[found[0].second]
        more = f" (so do {len(patients) - 1} other pairs)" if len(patients) > 1 else ""
        raise SplitError(
            f"{patient} of {one} and {twin} of {other} show the same: their slices {index} and "
            f"{place}, counted from 0, have an agreement of {found[0].agreement:.2f}, expected "
            f"less than {SAME}{more}; leave one of the two out, or keep both on one side"
        )


def shows_little(content: np.ndarray) -> bool:
    """Whether most of the slices show too little to be known again; see `describe`."""
    told = np.count_nonzero(np.unpackbits(content, axis=1), axis=1)
    return bool(len(content)) and bool(np.median(told) < _FEWEST)


def save_contents(path: Path, contents: Mapping[str, np.ndarray]) -> None:
    """Writes what patients show, whole or not at all; equal contents give equal bytes.

    Args:
        path: ends in .npz.
        contents: by patient, from `describe`.
    """
    patients = sorted(contents)
    nothing = np.empty((0, BYTES), np.uint8)
    with replacing(path) as temporary:
        np.savez_compressed(
            temporary,
            record=np.array(_RECORD),
            patients=np.array(patients, dtype=np.str_),
            slices=np.array([len(contents[patient]) for patient in patients], dtype=np.int64),
            content=np.concatenate([nothing, *(contents[patient] for patient in patients)]),
        )


def load_contents(path: Path) -> dict[str, np.ndarray]:
    """Inverse of `save_contents`, with the patients in order of their names.

    Raises:
        InputError: no such file, a damaged one, or one of another version.
    """
    try:
        # Opened here, as NumPy leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            record, content = int(stored["record"]), stored["content"]
            patients, slices = stored["patients"].tolist(), stored["slices"].astype(np.int64)
    except Exception as error:  # NumPy and zipfile have no common class of what damaged files raise
        raise InputError(
            f"{path}: expected a record of what patients show, found none or a damaged one "
            f"({error}); restore it from a copy"
        ) from error
    if record != _RECORD:
        raise InputError(
            f"{path}: expected a record of version {_RECORD}, found {record}, whose slices cannot "
            "be compared with those described now; train again to have it written"
        )
    _check_form(content, f"{path}: content")
    if len(patients) != len(slices) or slices.min(initial=0) < 0 or slices.sum() != len(content):
        raise InputError(
            f"{path}: expected slices of {len(patients)} patients, {len(content)} in all, found "
            f"the counts {slices.tolist()}; restore it from a copy"
        )
    return dict(zip(patients, np.split(content, np.cumsum(slices))[:-1], strict=True))


def _check_form(content: np.ndarray, what: str) -> None:
    if content.dtype != np.uint8 or content.shape[1:] != (BYTES,):
        raise InputError(
            f"{what}: expected uint8 [N, {BYTES}], found {content.dtype} {content.shape}; describe "
            "the slices anew"
        )


def _owners(contents: Mapping[str, np.ndarray]) -> list[tuple[str, int]]:
    """Patient and index of every slice, in the order of their concatenation."""
    return [(patient, index) for patient, each in contents.items() for index in range(len(each))]


def _area_mean(pixels: int) -> np.ndarray:
    """float32 [_CELLS, pixels], the share that each pixel has in the mean of each cell."""
    edges = np.linspace(0, pixels, _CELLS + 1)
    left = np.arange(pixels)
    overlap = np.minimum(edges[1:, None], left + 1) - np.maximum(edges[:-1, None], left)
    return (np.maximum(overlap, 0) * _CELLS / pixels).astype(np.float32)


def _gaussian() -> np.ndarray:
    """float32 [_CELLS, _CELLS] that blurs a column of cells; no weight lies outside the grid."""
    place = np.arange(_CELLS)
    weight = np.exp(-(((place[:, None] - place) / _BLUR) ** 2) / 2)
    return (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)


def _signs(content: np.ndarray) -> np.ndarray:
    """float32 [N, _CELLS, _CELLS]: 1 in brighter cells, -1 in darker ones, 0 elsewhere."""
    bits = np.unpackbits(content, axis=1).reshape(-1, 2, _CELLS, _CELLS).astype(np.float32)
    return bits[:, 0] - bits[:, 1]


def _turned(signs: np.ndarray) -> Iterator[np.ndarray]:
    """The eight ways to flip and turn slices [N, _CELLS, _CELLS]."""
    for quarters in range(4):
        turned = np.rot90(signs, quarters, axes=(1, 2))
        yield turned
        yield turned[..., ::-1]


def _agreement(first: np.ndarray, turned: Sequence[np.ndarray]) -> np.ndarray:
    """float32 [M, N], the highest over all of `turned`; 0 where one slice shows too little."""
    signs = first.reshape(len(first), -1)
    best = np.full((len(first), len(turned[0])), -np.inf, np.float32)
    for second in turned:
        np.maximum(best, signs @ second.reshape(len(second), -1).T, out=best)
    fewer = np.minimum(_told(first)[:, None], _told(turned[0]))
    return np.where(fewer >= _FEWEST, best / np.maximum(fewer, 1), 0)


def _told(signs: np.ndarray) -> np.ndarray:
    """float32 [N], how many cells of each slice are told."""
    return np.abs(signs).sum(axis=(1, 2))
