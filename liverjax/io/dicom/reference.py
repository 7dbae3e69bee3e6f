"""What an object that refers to a CT's images takes from them, and what it says of its maker."""

import copy
import hashlib
import io
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from pydicom.config import RAISE
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID, CTImageStorage
from pydicom.valuerep import DA, TM, format_number_as_ds

from liverjax.errors import InputError
from liverjax.io.dicom.source import DicomSource
from liverjax.io.dicom.tags import text
from liverjax.io.dicom.uid import derive_uid

# Whose the images are. These are copied as they are, the others only where they are well formed.
_WHOSE = ("SpecificCharacterSet", "PatientName", "PatientID")
# What the standard asks for at least empty, and what only some images have.
_REQUIRED = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName"),
)
_OPTIONAL = (
    *("SpecificCharacterSet", "IssuerOfPatientID", "PatientAge", "PatientSize", "PatientWeight"),
    *("PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence"),
    "StudyDescription",
)
_LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")
_SEXES = {"", "M", "F", "O"}
# The standard wants a date of the content; this one says that it is not known.
_NO_DATE, _NO_TIME = "19000101", "000000"


class Algorithm(NamedTuple):
    """What made an object.

    Attributes:
        name: at most 64 characters.
        version: likewise.
        parameters: whatever tells one result of it from another, such as the checkpoints'
            fingerprints. It is written into anonymised objects as well.
    """

    name: str
    version: str
    parameters: Mapping[str, str]


class _Image(NamedTuple):
    """An image that is referred to: the UIDs of its class and its own, and its frame, if any."""

    storage_class: str
    uid: str
    frame: int | None


class Reference(NamedTuple):
    """A source as an object refers to it.

    Attributes:
        planes: a stand-in for each slice, with its place and size but nothing of the patient: a
            single image whatever the source was, with a UID that `refer` replaces.
        patient: the elements of the patient and the study, and whether the images were lossy.
        images: what the stand-ins stand for, by their UIDs.
        series_uid: of the source.
        moment: date and time for the content, as DICOM has them.
    """

    planes: tuple[Dataset, ...]
    patient: Dataset
    images: dict[str, _Image]
    series_uid: str
    moment: tuple[str, str]


def read_reference(source: DicomSource, anonymize: bool) -> Reference:
    """What an object takes from its source; the data sets of the source stay as they are.

    A missing frame of reference is derived from the series, attributes that must be there are
    left empty where they are missing or not well formed.

    Args:
        source: the CT.
        anonymize: leave out all that tells whose it is, the dates and texts included. UIDs are
            replaced by hashes of themselves: objects of one study stay together, and who has the
            images can tell that they belong to them, but nobody else.

    Raises:
        InputError: an image has no valid UIDs; names the tag.
    """
    first = source.files[0]
    study, series = (_uid(first, key) for key in ("StudyInstanceUID", "SeriesInstanceUID"))
    place = text(first, "FrameOfReferenceUID")
    if not UID(place).is_valid:
        place = derive_uid("frame of reference", series)
    patient = Dataset()
    for keyword in _LOSSY:
        _copy(first, patient, keyword)
    if anonymize:
        study, series, place = (_anonymous(uid) for uid in (study, series, place))
        _set_nobody(patient, study)
    else:
        _copy_patient(first, patient)
    patient.StudyInstanceUID = study
    patient.FrameOfReferenceUID = place
    images = {}
    for index, item in enumerate(source.slices):
        dataset = source.files[item.file]
        uid = _uid(dataset, "SOPInstanceUID")
        images[derive_uid("plane", str(index))] = _Image(
            text(dataset, "SOPClassUID") or CTImageStorage,
            _anonymous(uid) if anonymize else uid,
            item.frame,
        )
    if len({(image.uid, image.frame) for image in images.values()}) < len(images):
        raise InputError("SOPInstanceUID: expected one of its own for every image, found it twice")
    planes = tuple(
        _plane(source, item.position, uid) for item, uid in zip(source.slices, images, strict=True)
    )
    moment = (_NO_DATE, _NO_TIME) if anonymize else _moment(first)
    return Reference(planes, patient, images, series, moment)


def refer(made: Dataset, reference: Reference) -> None:
    """Puts the patient and the images into an object that was made of their stand-ins."""
    made.update(copy.deepcopy(reference.patient))
    for group in made.PerFrameFunctionalGroupsSequence:
        for derivation in group.DerivationImageSequence:
            for item in derivation.SourceImageSequence:
                image = reference.images.get(item.ReferencedSOPInstanceUID)
                if image is None:
                    continue  # done, for a frame of another segment
                item.ReferencedSOPClassUID = image.storage_class
                item.ReferencedSOPInstanceUID = image.uid
                if image.frame is not None:
                    item.ReferencedFrameNumber = image.frame
    # Each file once, however many of its frames are slices.
    files = {image.uid: image.storage_class for image in reference.images.values()}
    made.SourceImageSequence = [_file_item(uid, kind) for uid, kind in files.items()]
    series = Dataset()
    series.SeriesInstanceUID = reference.series_uid
    series.ReferencedInstanceSequence = [_file_item(uid, kind) for uid, kind in files.items()]
    made.ReferencedSeriesSequence = [series]


def name_by_contents(made: Dataset) -> bytes:
    """Gives an object UIDs that follow from all that it holds, and no time of its making.

    Returns:
        The object as a file; the same for the same contents.
    """
    for item in (made, *made.ContributingEquipmentSequence):
        for keyword in ("InstanceCreationDate", "InstanceCreationTime", "ContributionDateTime"):
            if keyword in item:
                delattr(item, keyword)
    _set_uids(made, "")
    _set_uids(made, hashlib.sha256(_encoded(made)).hexdigest())
    return _encoded(made)


def _set_uids(made: Dataset, seed: str) -> None:
    made.SOPInstanceUID = derive_uid("object", seed)
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.SeriesInstanceUID = derive_uid("series of object", seed)
    for item in (*made.DimensionOrganizationSequence, *made.DimensionIndexSequence):
        item.DimensionOrganizationUID = derive_uid("dimensions of object", seed)


def _encoded(made: Dataset) -> bytes:
    buffer = io.BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _file_item(uid: str, storage_class: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = storage_class
    item.ReferencedSOPInstanceUID = uid
    return item


def _plane(source: DicomSource, position: np.ndarray, uid: str) -> Dataset:
    """The stand-in of a slice."""
    plane = Dataset()
    plane.SOPClassUID = CTImageStorage
    plane.SOPInstanceUID = uid
    plane.Modality = "CT"
    # `refer` puts the patient and the true study into what is made.
    for keyword in _REQUIRED:
        setattr(plane, keyword, None)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        setattr(plane, keyword, derive_uid("stand-in"))
    plane.Rows, plane.Columns = source.shape
    plane.ImagePositionPatient = _decimals(position)
    plane.ImageOrientationPatient = _decimals(source.orientation)
    plane.PixelSpacing = _decimals(source.pixel_spacing)
    # A slice of the object fills the room up to the next one, however thin the CT's slices were.
    plane.SliceThickness, plane.SpacingBetweenSlices = _decimals([source.step] * 2)
    return plane


def _decimals(values: np.ndarray | list[float]) -> list[str]:
    return [format_number_as_ds(value) for value in np.ravel(values).tolist()]


def _copy_patient(first: Dataset, patient: Dataset) -> None:
    for keyword in _REQUIRED:
        setattr(patient, keyword, None)
    for keyword in (*_REQUIRED, *_OPTIONAL):
        _copy(first, patient, keyword)
    if patient.PatientSex not in _SEXES:
        patient.PatientSex = None


def _set_nobody(patient: Dataset, study: str) -> None:
    """The patient and study of an anonymised object."""
    for keyword in _REQUIRED:
        setattr(patient, keyword, None)
    patient.PatientName = "Anonymous^Patient"
    # Of its own for every study, or an archive would take all of them for one patient's.
    patient.PatientID = f"ANON-{hashlib.sha256(study.encode()).hexdigest()[:16]}"
    patient.PatientIdentityRemoved = "YES"
    patient.DeidentificationMethod = "Patient, dates and texts left out, UIDs replaced"
    patient.LongitudinalTemporalInformationModified = "REMOVED"


def _copy(source: Dataset, target: Dataset, keyword: str) -> None:
    """Copies an element; one that is missing or not well formed is left out."""
    try:
        element = source[keyword]
        if keyword not in _WHOSE:
            DataElement(element.tag, element.VR, element.value, validation_mode=RAISE)
            _check_moment(element)
    except Exception:  # pydicom has no common class of what a damaged value raises
        return
    target[keyword] = copy.deepcopy(element)


def _check_moment(element: DataElement) -> None:
    """Raises an error for a date or time that there is not, such as a month of 13."""
    if element.VR in ("DA", "TM") and element.value:
        (DA if element.VR == "DA" else TM)(element.value)


def _moment(dataset: Dataset) -> tuple[str, str]:
    """Date and time of the study or else of the series, the acquisition or the image."""
    for kind in ("Study", "Series", "Acquisition", "Content"):
        found = Dataset()
        for keyword in (f"{kind}Date", f"{kind}Time"):
            _copy(dataset, found, keyword)
        if date := found.get(f"{kind}Date"):
            return str(date), str(found.get(f"{kind}Time") or _NO_TIME)
    return _NO_DATE, _NO_TIME


def _uid(dataset: Dataset, keyword: str) -> str:
    """A UID that an object has to name; raises InputError where there is no valid one."""
    value = text(dataset, keyword)
    if not UID(value).is_valid:
        found = f"found {value}" if value else "missing"
        raise InputError(f"{keyword}: expected a UID in every image of the series, {found}")
    return value


def _anonymous(uid: str) -> str:
    return derive_uid("anonymous", uid)
