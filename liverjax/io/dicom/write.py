"""DICOM slices in the style of 3D-IRCADb-01, for synthetic patients and for tests."""

import io

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian
from pydicom.valuerep import format_number_as_ds

from liverjax.io.dicom.uid import derive_uid

_LAST_BYTE = b"\0"


def encode_slice(
    pixels: np.ndarray,
    *,
    index: int,
    spacing: tuple[float, float, float],
    patient_name: str,
    study_uid: str,
    series_uid: str,
    sop_uid: str | None = None,
    series_description: str = "",
) -> bytes:
    """One axial slice as a DICOM file, as 3D-IRCADb-01 stores its CT and its masks.

    Masks have the CT storage class too; there is no frame of reference, slice location or patient
    position, the patient identifier is empty and the window is 0/0. Equal arguments give equal
    bytes.

    Args:
        pixels: [H, W]; int16 HU for a CT, uint8 for a mask.
        index: of the slice from the feet; its position is `index` slice steps.
        spacing: mm along (z, y, x).
        patient_name: such as "liver_04^patient"; the masks' names end in the structure.
        study_uid, series_uid: as from `derive_uid`.
        sop_uid: by default derived from `series_uid` and `index`.
        series_description: left out where empty, as in 3D-IRCADb-01.

    Raises:
        ValueError: `pixels` is of another type or not a slice.
    """
    if pixels.ndim != 2 or pixels.dtype not in (np.int16, np.uint8):
        raise ValueError(f"expected int16 or uint8 [H, W], found {pixels.dtype} {pixels.shape}")
    sop_uid = sop_uid or derive_uid(series_uid, str(index))
    dataset = Dataset()
    dataset.file_meta = _file_meta(sop_uid)
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = sop_uid
    dataset.Modality = "CT"
    if series_description:
        dataset.SeriesDescription = series_description
    dataset.PatientName = patient_name
    dataset.PatientID = ""
    dataset.StudyInstanceUID = study_uid
    dataset.SeriesInstanceUID = series_uid
    dataset.SeriesNumber = None
    dataset.InstanceNumber = index
    _place(dataset, index, spacing)
    _add_pixels(dataset, pixels)
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def _file_meta(sop_uid: str) -> FileMetaDataset:
    """Header of the file; names its own writer, because pydicom would put its version there."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = UID(sop_uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(derive_uid("implementation"))
    meta.ImplementationVersionName = "LIVERJAX"
    return meta


def _place(dataset: Dataset, index: int, spacing: tuple[float, float, float]) -> None:
    """Sets size and position; decimal strings hold at most 16 characters."""
    z, y, x = (format_number_as_ds(float(step)) for step in spacing)
    dataset.SliceThickness = z
    dataset.SpacingBetweenSlices = z
    dataset.ImagePositionPatient = ["0", "0", format_number_as_ds(float(index * spacing[0]))]
    dataset.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    dataset.PixelSpacing = [y, x]


def _add_pixels(dataset: Dataset, pixels: np.ndarray) -> None:
    """Sets the pixels and what describes them; stored values are HU."""
    bits = pixels.dtype.itemsize * 8
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated = bits
    dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = int(pixels.dtype == np.int16)
    dataset.WindowCenter = "0"
    dataset.WindowWidth = "0"
    dataset.RescaleIntercept = "0"
    dataset.RescaleSlope = "1"
    data = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()
    # A DICOM value has an even number of bytes.
    dataset.add_new("PixelData", "OW" if bits == 16 else "OB", data + _LAST_BYTE * (len(data) % 2))
