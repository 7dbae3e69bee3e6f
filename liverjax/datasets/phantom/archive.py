"""Synthetic patients as files in the layout of the 3D-IRCADb-01 download."""

import io
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from liverjax.datasets.phantom.patient import PhantomSpec
from liverjax.datasets.phantom.phantom import Phantom, make_phantom
from liverjax.io.atomic import replacing
from liverjax.io.dicom.uid import derive_uid
from liverjax.io.dicom.write import encode_slice

_FOREGROUND = 255
# Fixed, so that the same patients give the same bytes; the earliest time a zip can hold.
_TIMESTAMP = (1980, 1, 1, 0, 0, 0)


def write_phantom_archive(
    directory: Path,
    patients: Sequence[int],
    spec: PhantomSpec,
    progress: Callable[[int], None] | None = None,
) -> list[Path]:
    """Writes `3Dircadb1.N.zip` for each patient N; the same arguments give the same bytes.

    Each holds `3Dircadb1.N/PATIENT_DICOM.zip` and `3Dircadb1.N/MASKS_DICOM.zip`, and these hold
    `PATIENT_DICOM/image_0`, ... and `MASKS_DICOM/<structure>/image_0`, ..., as in the original.

    Args:
        directory: is made where it does not exist; archives of the same name are replaced.
        patients: numbers from 1.
        spec: the family of patients.
        progress: called with each patient's number once its archive is there.

    Returns:
        Paths in the order of `patients`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    # Threads, not processes: most of the work is in numpy and zlib, which release the lock, and
    # a process would have to import the caller's main module with all that it loads.
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        paths = []
        for number, path in zip(
            patients, pool.map(partial(_write_patient, directory, spec), patients), strict=True
        ):
            paths.append(path)
            if progress is not None:
                progress(number)
    return paths


def _write_patient(directory: Path, spec: PhantomSpec, patient: int) -> Path:
    """Makes a patient and writes the archive, whole or not at all."""
    phantom = make_phantom(patient, spec)
    folder = f"3Dircadb1.{patient}"
    parts = {
        f"{folder}/MASKS_DICOM.zip": _zip(_mask_files(phantom, spec), "MASKS_DICOM"),
        f"{folder}/PATIENT_DICOM.zip": _zip(_ct_files(phantom, spec), "PATIENT_DICOM"),
    }
    path = directory / f"{folder}.zip"
    with replacing(path) as temporary:
        temporary.write_bytes(_zip(iter(parts.items()), folder, zipfile.ZIP_STORED))
    return path


def _ct_files(phantom: Phantom, spec: PhantomSpec) -> Iterator[tuple[str, bytes]]:
    """Names and contents of PATIENT_DICOM."""
    return _series(phantom, spec, "PATIENT_DICOM", "patient", phantom.volume.hu)


def _mask_files(phantom: Phantom, spec: PhantomSpec) -> Iterator[tuple[str, bytes]]:
    """Names and contents of MASKS_DICOM, structure by structure."""
    for name, mask in sorted(phantom.structures.items()):
        values = np.where(mask, np.uint8(_FOREGROUND), np.uint8(0))
        yield from _series(phantom, spec, f"MASKS_DICOM/{name}", name, values)


def _series(
    phantom: Phantom, spec: PhantomSpec, folder: str, name: str, values: np.ndarray
) -> Iterator[tuple[str, bytes]]:
    """One DICOM series, a study of its own as in the original; `values` [D, H, W]."""
    identity = (repr(spec), str(phantom.number), name)
    spacing = phantom.volume.geometry.spacing
    assert spacing is not None
    encode = partial(
        encode_slice,
        spacing=spacing,
        patient_name=f"liver_{phantom.number:02d}^{name}",
        study_uid=derive_uid("study", *identity),
        series_uid=derive_uid("series", *identity),
    )
    for index, pixels in enumerate(values):
        yield f"{folder}/image_{index}", encode(pixels, index=index)


def _zip(
    files: Iterator[tuple[str, bytes]], folder: str, method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """A zip of files and, before them, of the folders that they lie in."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method, compresslevel=1) as archive:
        made = {folder}
        archive.writestr(zipfile.ZipInfo(f"{folder}/", _TIMESTAMP), b"")
        for name, content in files:
            parent = name.rpartition("/")[0]
            if parent not in made:
                archive.writestr(zipfile.ZipInfo(f"{parent}/", _TIMESTAMP), b"")
                made.add(parent)
            entry = zipfile.ZipInfo(name, _TIMESTAMP)
            entry.compress_type = method
            archive.writestr(entry, content, compresslevel=1)
    return buffer.getvalue()
