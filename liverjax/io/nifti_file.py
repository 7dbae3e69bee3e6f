"""What lies in a NIfTI file: its header, checked before anything is allocated, and its planes."""

import contextlib
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np

from liverjax.errors import InputError
from liverjax.io.failures import cause, silence
from liverjax.io.nifti_geometry import read_geometry
from liverjax.volume import MAX_VOXELS, Geometry

SUFFIXES = (".nii", ".nii.gz")
MAX_SIDE = 16384
MAX_OFFSET = 64 << 20  # extensions lie before the values
_LAST_CODE = 5  # of what a form may be, nifti1.h
_HEADERS = {348: nib.Nifti1Header, 540: nib.Nifti2Header}
_MAGIC = {348: b"n+1\0", 540: b"n+2\0\r\n\x1a\n"}
_MAGIC_AT = {348: 344, 540: 4}
_PAIRS = (b"ni1", b"ni2")
_GZIP = b"\x1f\x8b"
_MOST_DEFLATED = 1032  # what deflate makes of zeros
# Some programs fill their last block; more is an image that the header knows nothing of.
_TRAILING_BYTES = 4096


class NiftiFile(NamedTuple):
    """A NIfTI image whose header was found sound.

    Attributes:
        path: of the file.
        shape: [D, H, W], which are the file's (k, j, i).
        dtype: of the values as stored, numbers.
        scale: slope and intercept from these to what they mean; None where they mean themselves.
        offset: where in the file the values begin, after inflating.
        geometry: where the voxels lie.
    """

    path: Path
    shape: tuple[int, int, int]
    dtype: np.dtype
    scale: tuple[np.float32, np.float32] | None
    offset: int
    geometry: Geometry

    def planes(self) -> Iterator[np.ndarray]:
        """The values as stored, one [H, W] after the other; each is overwritten by the next.

        Raises:
            InputError: the file is damaged, or holds less or more than its header says.
        """
        plane = np.empty(self.shape[1:], self.dtype)
        with _opened(self.path) as file:
            file.seek(self.offset)
            for index in range(self.shape[0]):
                _fill(file, plane, self, index)
                yield plane
            # Reads on to the end, where gzip keeps its checksum.
            if len(file.read(_TRAILING_BYTES + 1)) > _TRAILING_BYTES:
                raise InputError(
                    f"{self.path}: dim: expected the file to end after {self.shape} voxels, found "
                    "more; its header is damaged"
                )


def is_nifti(path: Path) -> bool:
    """True where the name of `path` is one of a NIfTI file."""
    return path.name.lower().endswith(SUFFIXES)


def is_packed(path: Path) -> bool:
    """True where the name of `path` is one of a gzip file."""
    return path.name.lower().endswith(".gz")


def check_suffix(path: Path) -> None:
    """Refuses the name of another kind of file."""
    if not is_nifti(path):
        raise InputError(f"{path}: expected a name that ends in {' or '.join(SUFFIXES)}")


def open_nifti(path: Path, spacing_known: bool | None) -> NiftiFile:
    """Reads and checks a header; for `spacing_known` see `nifti.read_nifti`.

    Raises:
        InputError: no NIfTI file, or one that cannot be read; names the field.
    """
    check_suffix(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with _opened(path) as file:
        header = _read_header(file, path)
    shape, dtype = _shape(header, path), _dtype(header, path)
    offset = _offset(header, path)
    _check_size(path, offset + int(np.prod(shape)) * dtype.itemsize, shape)
    return NiftiFile(
        path,
        (shape[2], shape[1], shape[0]),
        dtype,
        _scale(header, path),
        offset,
        read_geometry(header, shape, path, spacing_known),
    )


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file, inflated; whatever gzip and the operating system raise becomes an InputError."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            if packed != is_packed(path):
                kinds = {True: "gzip data", False: "other data"}
                raise InputError(
                    f"{path}: expected {kinds[not packed]} by its name, found {kinds[packed]}; is "
                    "it cut short or misnamed?"
                )
            if packed:
                with gzip.GzipFile(fileobj=raw) as inflated:
                    yield inflated
            else:
                yield raw
    except InputError:
        raise
    except Exception as error:  # zlib, gzip and the system have no common class of what they raise
        raise InputError(f"{path}: damaged or cut short ({cause(error)})") from error


def _fill(file: Any, plane: np.ndarray, nifti: NiftiFile, index: int) -> None:
    view, done = plane.data.cast("B"), 0
    while done < len(view):
        count = file.readinto(view[done:])
        if not count:
            raise InputError(
                f"{nifti.path}: cut short: expected {nifti.shape[0]} planes by dim, found {index}"
            )
        done += count


def _read_header(file: Any, path: Path) -> Any:
    """nibabel's header of a file with header and values in one; extensions are left unread."""
    raw = file.read(540)
    sizes = {int.from_bytes(raw[:4], order): order for order in ("little", "big")}
    size = next((size for size in _HEADERS if size in sizes), None)
    if size is None:
        raise InputError(f"{path}: sizeof_hdr: expected 348 or 540, found {next(iter(sizes))}")
    if len(raw) < size:
        raise InputError(f"{path}: cut short: expected a header of {size} bytes, found {len(raw)}")
    expected = _MAGIC[size]
    found = raw[_MAGIC_AT[size] :][: len(expected)]
    if found != expected:
        advice = "; convert header and image into one file" if found[:3] in _PAIRS else ""
        raise InputError(f"{path}: magic: expected {expected!r}, found {found!r}{advice}")
    endianness = "<" if sizes[size] == "little" else ">"
    header = _HEADERS[size](raw[:size], endianness, check=False)
    _check_forms(header, path)
    _offset(header, path)
    _dtype(header, path)
    try:
        with silence():
            header.check_fix()
    except Exception as error:  # nibabel has no common class of what damaged files raise
        raise InputError(f"{path}: not a NIfTI file, or damaged ({error})") from error
    return header


def _check_forms(header: Any, path: Path) -> None:
    """Refuses what nibabel would mend by a guess."""
    for field in ("qform_code", "sform_code"):
        code = int(header[field])
        if not 0 <= code <= _LAST_CODE:
            raise InputError(f"{path}: {field}: expected 0 to {_LAST_CODE}, found {code}")
    sizes = header["pixdim"][1:4]
    # Written so that NaN is refused; the sform has its own sizes.
    if header["qform_code"] and not (sizes > 0).all():
        raise InputError(f"{path}: pixdim: expected mm for the qform, found {sizes.tolist()}")


def _shape(header: Any, path: Path) -> tuple[int, int, int]:
    """(i, j, k). Not by nibabel, which takes some sizes for surfaces."""
    count, *sizes = (int(size) for size in header["dim"])
    shape = tuple(sizes[: max(count, 0)])
    if not 3 <= count <= 7 or any(size != 1 for size in shape[3:]):
        raise InputError(
            f"{path}: dim: expected a three-dimensional image, found {count} dimensions of the "
            f"shape {shape}"
        )
    if not all(0 < size <= MAX_SIDE for size in shape[:3]):
        raise InputError(f"{path}: dim: expected sides of 1 to {MAX_SIDE}, found {shape[:3]}")
    i, j, k = shape[:3]
    if i * j * k > MAX_VOXELS:
        raise InputError(f"{path}: dim: expected at most {MAX_VOXELS} voxels, found {i * j * k}")
    return i, j, k


def _dtype(header: Any, path: Path) -> np.dtype:
    try:
        dtype = header.get_data_dtype()
    except Exception as error:  # as in _read_header
        code = int(header["datatype"])
        raise InputError(f"{path}: datatype: expected numbers, found the code {code}") from error
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise InputError(f"{path}: datatype: expected numbers, found voxels of type {dtype}")
    return dtype


def _offset(header: Any, path: Path) -> int:
    found = float(header["vox_offset"])
    least = header.single_vox_offset
    if not (least <= found <= MAX_OFFSET and found == int(found)):
        raise InputError(f"{path}: vox_offset: expected {least} to {MAX_OFFSET}, found {found:g}")
    return int(found)


def _check_size(path: Path, expected: int, shape: tuple[int, ...]) -> None:
    """Refuses what cannot hold as much as it says, before memory is asked for."""
    found = path.stat().st_size
    if found * (_MOST_DEFLATED if is_packed(path) else 1) < expected:
        raise InputError(
            f"{path}: cut short: expected {expected} bytes for the {shape} voxels of dim, found "
            f"{found}{' compressed' if is_packed(path) else ''}"
        )


def _scale(header: Any, path: Path) -> tuple[np.float32, np.float32] | None:
    """As nifti1.h and nibabel: a slope of 0 or none at all (NaN) means values as they are."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or np.isnan(slope):
        return None
    for field, value in (("scl_slope", slope), ("scl_inter", intercept)):
        if not np.isfinite(value) or abs(value) > np.finfo(np.float32).max:
            raise InputError(f"{path}: {field}: expected a finite number, found {value}")
    return None if (slope, intercept) == (1, 0) else (np.float32(slope), np.float32(intercept))
