"""Patients of 16x16 slices in the files and folders of 3D-IRCADb-01."""

from pathlib import Path

import numpy as np

from liverjax.io.dicom.write import encode_slice

SPACING = (1.6, 0.7, 0.5)


def tiny_patient(number: int, depth: int = 5, side: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """HU (noise that differs between patients) and labels [D, H, W].

    All slices but the first and last hold 64 pixels of liver, 4 of them tumour in slice 2.
    """
    hu = np.random.default_rng(number).integers(-1000, 1000, (depth, side, side), dtype=np.int16)
    labels = np.zeros(hu.shape, dtype=np.uint8)
    labels[1:-1, 2:10, 4:12] = 1
    labels[2, 5:7, 6:8] = 2
    return hu, labels


def write_patient(root: Path, number: int, depth: int = 5, side: int = 16) -> Path:
    """Writes `tiny_patient` unpacked below `root`; returns the patient's folder."""
    hu, labels = tiny_patient(number, depth, side)
    folder = root / f"3Dircadb1.{number}"
    _write_series(folder / "PATIENT_DICOM", hu, f"{number}.1")
    _write_series(folder / "MASKS_DICOM/liver", (labels >= 1) * np.uint8(255), f"{number}.2")
    _write_series(folder / "MASKS_DICOM/livertumor", (labels == 2) * np.uint8(255), f"{number}.3")
    return folder


def _write_series(folder: Path, slices: np.ndarray, uid: str) -> None:
    folder.mkdir(parents=True)
    for index, pixels in enumerate(slices):
        data = encode_slice(
            pixels,
            index=index,
            spacing=SPACING,
            patient_name="liver^patient",
            study_uid=f"2.25.{uid}",
            series_uid=f"2.25.{uid}.1",
        )
        (folder / f"image_{index}").write_bytes(data)
