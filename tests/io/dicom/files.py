"""Small DICOM series and 3D-IRCADb patients in memory, for tests. Files are {path: bytes}."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pydicom

from liverjax.io.dicom.uid import derive_uid
from liverjax.io.dicom.write import encode_slice

SPACING = (1.6, 0.75, 0.5)
# More than ten, so that the order of names differs from the order of positions.
SHAPE = (12, 6, 5)


def example_hu(seed=0, shape=SHAPE):
    """Random HU int16 [D, H, W]."""
    return np.random.default_rng(seed).integers(-1024, 1500, shape).astype(np.int16)


def series_files(pixels, series="patient", *, spacing=SPACING, description=""):
    """One file per slice of `pixels` [D, H, W]: "image_0" and so on."""
    return {
        f"image_{index}": encode_slice(
            plane,
            index=index,
            spacing=spacing,
            patient_name=f"liver_04^{series}",
            study_uid=derive_uid("study", series),
            series_uid=derive_uid("series", series),
            series_description=description,
        )
        for index, plane in enumerate(pixels)
    }


def box(first, last, value=255):
    """Mask uint8 of SHAPE with `value` in slices `first` to `last`."""
    mask = np.zeros(SHAPE, dtype=np.uint8)
    mask[first : last + 1, 1:4, 1:4] = value
    return mask


def patient_files(masks=None, seed=0):
    """A 3D-IRCADb patient's files, extracted.

    By default with a liver, two liver tumours and a tumour of another organ.
    """
    if masks is None:
        masks = {
            "liver": box(2, 9),
            "livertumor01": box(3, 4),
            "LiverTumors": box(6, 6),
            "tumor": box(8, 8),
        }
    files = below("PATIENT_DICOM", series_files(example_hu(seed)))
    for name, mask in masks.items():
        files |= below(f"MASKS_DICOM/{name}", series_files(mask, name))
    # A real mesh would not help: nothing may open this.
    return files | {"MESHES_VTK.zip": b"no archive"}


def below(folder, files):
    """`files` moved into a folder."""
    return {f"{folder}/{path}": data for path, data in files.items()}


def edited(data, **tags):
    """A DICOM file with other values; None removes the tag."""
    dataset = pydicom.dcmread(io.BytesIO(data))
    for keyword, value in tags.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def zipped(files):
    """`files` as a zip archive, with an entry for each folder."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in sorted({f"{path.rpartition('/')[0]}/" for path in files if "/" in path}):
            archive.writestr(folder, b"")
        for path, data in files.items():
            archive.writestr(path, data)
    return buffer.getvalue()


def pack(files, *folders):
    """`files` with each of the top `folders` packed into an archive that holds it as a folder."""
    packed = {path: data for path, data in files.items() if path.split("/")[0] not in folders}
    for folder in folders:
        inner = {path: data for path, data in files.items() if path.startswith(f"{folder}/")}
        packed[f"{folder}.zip"] = zipped(inner)
    return packed


def write_files(folder: Path, files):
    """Writes `files` below `folder`, which is returned."""
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
