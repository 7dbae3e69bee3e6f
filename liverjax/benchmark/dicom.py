"""A folder of DICOM files read as a volume in HU."""

import contextlib
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from liverjax.benchmark.comparison import OURS, Comparison, check_close
from liverjax.benchmark.settings import Settings
from liverjax.benchmark.timing import Contender, interleave
from liverjax.benchmark.workload import phantom_spec
from liverjax.datasets.phantom.archive import write_phantom_archive
from liverjax.io.ct import read_ct

NAME = "dicom"

Reader = Callable[[Path], np.ndarray]


def compare_dicom(settings: Settings) -> Comparison:
    """Ours against SimpleITK's series reader and a loop over pydicom, on the same folder.

    A unit of work is a read of the whole folder, which the system has in its file cache by
    then. All must give the same HU.

    Raises:
        BenchmarkError: SimpleITK is missing, or the readers differ.
        InputError: `settings.dicom` is no folder with one CT series.
    """
    with dicom_folder(settings) as folder:
        readers: dict[str, Reader] = {OURS: read_liverjax}
        if settings.peers:
            readers |= {"SimpleITK": read_simpleitk, "pydicom": read_pydicom}
        volumes = {name: read(folder) for name, read in readers.items()}
        agreement = {
            name: check_close("HU", name, hu, volumes[OURS], 0.0)
            for name, hu in volumes.items()
            if name != OURS
        }
        contenders = [
            Contender(name, partial(_read_often, read, folder)) for name, read in readers.items()
        ]
        timings = interleave(contenders, settings.repeats, settings.calls)
    shape = volumes[OURS].shape
    source = "phantom" if settings.dicom is None else "given"
    return Comparison(
        NAME, "slices/s", shape[0], tuple(timings), agreement, {"data": f"{source}, {shape}"}
    )


@contextlib.contextmanager
def dicom_folder(settings: Settings) -> Iterator[Path]:
    """The folder of `settings.dicom`, or one with a phantom that is removed afterwards."""
    if settings.dicom is not None:
        yield settings.dicom
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (patient,) = write_phantom_archive(folder, [1], phantom_spec(settings))
        with zipfile.ZipFile(patient) as archive:
            (series,) = [name for name in archive.namelist() if "PATIENT_DICOM" in name]
            with archive.open(series) as packed, zipfile.ZipFile(packed) as files:
                files.extractall(folder)
        yield folder / "PATIENT_DICOM"


def read_liverjax(folder: Path) -> np.ndarray:
    """HU int16 [D, H, W]."""
    return read_ct(folder).hu


def read_simpleitk(folder: Path) -> np.ndarray:
    """HU [D, H, W] by SimpleITK's series reader, slices in the order that it finds."""
    import SimpleITK

    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return SimpleITK.GetArrayFromImage(reader.Execute())


def read_pydicom(folder: Path) -> np.ndarray:
    """HU [D, H, W] by pydicom as its users write it: read all, sort, rescale, stack.

    Nothing is checked: neither that the files are one series nor that no slice is missing.
    """
    import pydicom
    from pydicom.pixels import apply_rescale

    slices = [pydicom.dcmread(path) for path in folder.iterdir() if path.is_file()]
    slices.sort(key=lambda item: float(item.ImagePositionPatient[2]))
    return np.stack([apply_rescale(item.pixel_array, item) for item in slices])


def _read_often(read: Reader, folder: Path, calls: int) -> None:
    for _ in range(calls):
        read(folder)
