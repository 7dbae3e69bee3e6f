"""The DICOM images that a CT was read from, for objects that refer to them."""

import dataclasses
from typing import NamedTuple

import numpy as np
from pydicom.dataset import Dataset


class SourceSlice(NamedTuple):
    """One image plane of the series.

    Attributes:
        file: index into `DicomSource.files`.
        frame: number of its frame, from 1; None where its file holds one image.
        position: float64 [3], LPS mm of the centre of its first pixel.
        depth: where it lies along the first axis of the volume; whole wherever the volume holds
            the slice itself.
        row: first row of the volume, likewise, that shows the slice's first row; 0 unless a
            tilted series was straightened.
    """

    file: int
    frame: int | None
    position: np.ndarray
    depth: float
    row: float = 0.0


@dataclasses.dataclass(frozen=True, eq=False)
class DicomSource:
    """What a CT was read from.

    Attributes:
        files: the data sets without their pixels, one per file.
        slices: the image planes in order of position.
        shape: rows and columns of each.
        orientation: float64 [2, 3], LPS unit vectors along a row and along a column.
        pixel_spacing: float64 [2], mm between rows and between columns.
        step: mm between the slices of the volume along their normal.
        volume_shape: [D, H, W] of the volume that was made of them.
    """

    files: tuple[Dataset, ...]
    slices: tuple[SourceSlice, ...]
    shape: tuple[int, int]
    orientation: np.ndarray
    pixel_spacing: np.ndarray
    step: float
    volume_shape: tuple[int, ...]

    def on_slices(self, array: np.ndarray) -> np.ndarray:
        """An array [D, H, W] on the volume's grid as the slices of the series show it.

        Returns:
            [len(slices), *shape]: of every voxel the value of the nearest one of the volume;
            `array` itself where the volume is the series as it is.
        """
        count, rows = len(array), self.shape[0]
        if [(item.depth, item.row) for item in self.slices] == [(i, 0.0) for i in range(count)]:
            return array
        found = np.empty((len(self.slices), *self.shape), dtype=array.dtype)
        for number, item in enumerate(self.slices):
            plane = array[min(max(round(item.depth), 0), count - 1)]
            first = round(item.row)
            found[number] = plane[first : first + rows]
        return found
