"""DICOM segmentations for tests: written of small series, and read by pydicom alone."""

from typing import NamedTuple

import numpy as np
import pydicom

from liverjax.io.ct import read_scan
from liverjax.io.dicom.reference import Algorithm
from liverjax.io.dicom.segmentation import write_fractional_object, write_segmentation_object
from liverjax.volume import Segmentation
from tests.io.dicom.files import SHAPE, SPACING, example_hu, series_files, write_files

HU = example_hu()
FILES = series_files(HU)
ALGORITHM = Algorithm("liverjax cascade", "1.2", {"liver": "0123abcd", "tumor": "4567cdef"})
# Tags of a CT that tell whose it is.
PERSONAL = {
    "PatientName": "Muster^Erika",
    "PatientID": "HOSP-0815",
    "PatientBirthDate": "19430517",
    "PatientSex": "F",
    "PatientAge": "081Y",
    "StudyDate": "20240229",
    "StudyTime": "101112",
    "StudyID": "STUDY77",
    "SeriesDate": "20240301",
    "AcquisitionDate": "20240302",
    "ContentDate": "20240303",
    "AccessionNumber": "ACC-4242",
    "InstitutionName": "Spital Musterstadt",
    "InstitutionAddress": "Hauptstrasse 1",
    "StationName": "CT-ROOM-3",
    "ReferringPhysicianName": "Haus^Gregory",
    "OperatorsName": "Ops^Olga",
    "StudyDescription": "Abdomen Erika",
    "SeriesDescription": "Series of Erika",
    "PatientComments": "known to us",
    "FrameOfReferenceUID": "1.2.826.0.1.777.3",
}


def example_labels(shape=SHAPE):
    """A liver with two tumours."""
    labels = np.zeros(shape, dtype=np.uint8)
    labels[2:9, 1:5, 1:4] = 1
    labels[3:5, 2, 1:3] = labels[7, 3:5, 3] = 2
    return labels


LABELS = example_labels()


def read(folder, files):
    """A series as it is read."""
    return read_scan(write_files(folder, files))


def write(path, scan, labels=LABELS, algorithm=ALGORITHM, **kwargs):
    """Writes labels, or two arrays of probabilities."""
    if isinstance(labels, tuple):
        write_fractional_object(path, scan.source, *labels, algorithm, **kwargs)
    else:
        found = Segmentation(labels, scan.volume.geometry)
        write_segmentation_object(path, scan.source, found, algorithm, **kwargs)
    return path


def example_probabilities(shape=SHAPE):
    """Random ones of liver and tumour, with slices without either."""
    rng = np.random.default_rng(3)
    liver, tumor = rng.random((2, *shape), dtype=np.float32)
    liver[0] = tumor[:4] = 0
    return liver, tumor


def stacked(frames, segment, depth=SHAPE[0], step=SPACING[0]):
    """Values [D, H, W] of a segment of an object on axial slices; slices without frame are 0."""
    volume = np.zeros((depth, *frames[0].values.shape), dtype=np.uint8)
    for frame in frames:
        if frame.segment == segment:
            volume[round(frame.places[0, 0, 2] / step)] = frame.values
    return volume


class Frame(NamedTuple):
    """A frame: its segment, values [H, W], LPS places [H, W, 3], and what it refers to."""

    segment: int
    values: np.ndarray
    places: np.ndarray
    image: str
    image_frame: int | None


def read_frames(path):
    """The data set of a segmentation, and its frames."""
    dataset = pydicom.dcmread(path)
    count, shape = int(dataset.NumberOfFrames), (dataset.Rows, dataset.Columns)
    stored = np.frombuffer(dataset.PixelData, np.uint8)
    if dataset.BitsAllocated == 1:
        stored = np.unpackbits(stored, bitorder="little")
    stored = stored[: count * shape[0] * shape[1]].reshape(count, *shape)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    orientation = shared.PlaneOrientationSequence[0].ImageOrientationPatient
    spacing = shared.PixelMeasuresSequence[0].PixelSpacing
    frames = []
    for group, values in zip(dataset.PerFrameFunctionalGroupsSequence, stored, strict=True):
        position = group.PlanePositionSequence[0].ImagePositionPatient
        (image,) = group.DerivationImageSequence[0].SourceImageSequence
        frames.append(
            Frame(
                group.SegmentIdentificationSequence[0].ReferencedSegmentNumber,
                values,
                pixel_places(position, orientation, spacing, shape),
                image.ReferencedSOPInstanceUID,
                image.get("ReferencedFrameNumber"),
            )
        )
    return dataset, frames


def pixel_places(position, orientation, spacing, shape):
    """LPS mm [H, W, 3] of the pixels of a plane (PS3.3 C.7.6.2.1.1)."""
    position, orientation = (np.array(x, dtype=np.float64) for x in (position, orientation))
    along_row, along_column = orientation[:3], orientation[3:]
    rows, columns = np.indices(shape)
    return (
        position
        + columns[..., None] * along_row * float(spacing[1])
        + rows[..., None] * along_column * float(spacing[0])
    )
