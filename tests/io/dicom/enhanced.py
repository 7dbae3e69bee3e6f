"""Small Enhanced CT images, with all slices in one file, for tests."""

import io

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import EnhancedCTImageStorage, ExplicitVRLittleEndian
from pydicom.valuerep import format_number_as_ds

from liverjax.io.dicom.uid import derive_uid
from tests.io.dicom.files import SPACING


def enhanced_ct(hu, *, spacing=SPACING, order=None, first=0, name="enhanced", series="enhanced"):
    """A multi-frame CT of HU int16 [D, H, W].

    Args:
        hu: the slices from the feet.
        spacing: mm along (z, y, x).
        order: the slice that each frame shows; by default from the feet.
        first: steps above 0 of the first slice, for a series of several files.
        name: tells the files of a series apart.
        series: tells series apart.
    """
    order = range(len(hu)) if order is None else order
    dataset = Dataset()
    dataset.SOPClassUID = EnhancedCTImageStorage
    dataset.SOPInstanceUID = derive_uid(series, name)
    dataset.StudyInstanceUID = derive_uid("study", series)
    dataset.SeriesInstanceUID = derive_uid("series", series)
    dataset.FrameOfReferenceUID = derive_uid("frame of reference", series)
    dataset.Modality = "CT"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    dataset.PatientName, dataset.PatientID = "Frames^Many", "4711"
    dataset.StudyDate, dataset.StudyTime = "20240229", "101112"
    dataset.SharedFunctionalGroupsSequence = [_shared(spacing)]
    dataset.PerFrameFunctionalGroupsSequence = [
        _frame(first + index, spacing[0], hu[index].min()) for index in order
    ]
    dataset.NumberOfFrames = len(hu)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = hu.shape[1:]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = 0
    stored = [(hu[index].astype(np.int32) - hu[index].min()).astype("<u2") for index in order]
    dataset.add_new("PixelData", "OW", np.stack(stored).tobytes())
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def _item(**tags):
    item = Dataset()
    for keyword, value in tags.items():
        setattr(item, keyword, value)
    return item


def _shared(spacing):
    """What all frames have in common."""
    z, y, x = (format_number_as_ds(float(step)) for step in spacing)
    return _item(
        PlaneOrientationSequence=[_item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        PixelMeasuresSequence=[
            _item(PixelSpacing=[y, x], SliceThickness=z, SpacingBetweenSlices=z)
        ],
    )


def _frame(index, step, intercept):
    """What one frame has for itself, its rescale intercept among it."""
    position = format_number_as_ds(float(index * step))
    return _item(
        FrameContentSequence=[
            _item(StackID="1", InStackPositionNumber=index + 1, DimensionIndexValues=[1, index + 1])
        ],
        PlanePositionSequence=[_item(ImagePositionPatient=["0", "0", position])],
        PixelValueTransformationSequence=[
            _item(RescaleIntercept=int(intercept), RescaleSlope=1, RescaleType="HU")
        ],
    )
