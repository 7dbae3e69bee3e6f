"""DICOM segmentation objects of liver and tumours."""

import warnings
from pathlib import Path

import numpy as np
from highdicom.color import CIELabColor
from highdicom.content import AlgorithmIdentificationSequence
from highdicom.seg import (
    SegmentAlgorithmTypeValues,
    SegmentationTypeValues,
    SegmentDescription,
)
from highdicom.seg import Segmentation as SegmentationObject
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import UID, ExplicitVRLittleEndian

from liverjax.errors import InputError
from liverjax.io.atomic import replacing
from liverjax.io.dicom.reference import (
    Algorithm,
    Reference,
    name_by_contents,
    read_reference,
    refer,
)
from liverjax.io.dicom.source import DicomSource
from liverjax.io.dicom.uid import derive_uid
from liverjax.labels import liver_mask, tumor_mask
from liverjax.volume import Geometry, Segmentation

# A probability of 1. With it, 8 bits hold multiples of 1/255.
MAX_LEVEL = 255
# The code of older editions of CID 7150 for what is 91723000 now; segmentation tools know this one.
_ANATOMY = Code("123037004", "SCT", "Anatomical Structure")
# Liver and tumour in the colours of the previews and figures (`reporting.drawing`).
_COLORS = ("#56b4e9", "#e69f00")
# Numbers of the series, in the hope that the study has none so high.
_SERIES_NUMBERS = {
    SegmentationTypeValues.BINARY: 9001,
    SegmentationTypeValues.FRACTIONAL: 9002,
}
_DESCRIPTION = "Liver and liver tumours, found automatically; research use only"
# In slices, rows and columns: how far a voxel may lie from where the source has it.
_PLACE_TOLERANCE = 0.5


def write_segmentation_object(
    path: Path,
    source: DicomSource,
    segmentation: Segmentation,
    algorithm: Algorithm,
    *,
    anonymize: bool = False,
) -> None:
    """Writes a binary DICOM segmentation on the slices of the CT.

    Segment 1 is the liver with its tumours, segment 2 the tumours. A slice without a segment has
    no frame of it, and a segment that is empty is described but has no frame; where both are
    empty, each has one empty frame, because an object needs one. Equal arguments give equal
    bytes. The file appears whole or not at all.

    Args:
        path: in a folder that exists.
        source: the images that the CT was read from.
        segmentation: labels on the CT's grid.
        algorithm: what found them.
        anonymize: see `reference.read_reference`.

    Raises:
        InputError: the labels do not belong to the source, its images have no valid UIDs, or it
            cannot be described in DICOM; names the tag.
    """
    _check_shape(path, source, "labels", segmentation.labels)
    _check_place(path, source, segmentation.geometry)
    labels = source.on_slices(segmentation.labels)
    masks = (liver_mask(labels), tumor_mask(labels))
    _write(path, source, masks, SegmentationTypeValues.BINARY, algorithm, anonymize)


def write_fractional_object(
    path: Path,
    source: DicomSource,
    liver: np.ndarray,
    tumor: np.ndarray,
    algorithm: Algorithm,
    *,
    anonymize: bool = False,
) -> None:
    """Writes probabilities as a fractional DICOM segmentation on the slices of the CT.

    Each is rounded to the next multiple of 1/255, so that it is off by at most 1/510; below that
    it becomes 0. Segments and frames are as in `write_segmentation_object`.

    Args:
        path, source, algorithm, anonymize: as for `write_segmentation_object`.
        liver, tumor: float32 [D, H, W] on the CT's grid, from 0 to 1.

    Raises:
        InputError: as `write_segmentation_object`, or something is no probability.
    """
    levels = []
    for name, array in (("liver", liver), ("tumor", tumor)):
        _check_shape(path, source, name, array)
        if not (array.min() >= 0 and array.max() <= 1):  # nor not a number
            raise InputError(f"{path}: {name}: expected probabilities from 0 to 1")
        on_slices = source.on_slices(array)
        levels.append(np.rint(on_slices * np.float32(MAX_LEVEL)).astype(np.uint8))
    _write(path, source, tuple(levels), SegmentationTypeValues.FRACTIONAL, algorithm, anonymize)


def _write(
    path: Path,
    source: DicomSource,
    segments: tuple[np.ndarray, ...],
    kind: SegmentationTypeValues,
    algorithm: Algorithm,
    anonymize: bool,
) -> None:
    """Writes an object of segments [slices, H, W], boolean or levels uint8."""
    try:
        with warnings.catch_warnings():
            # pydicom warns of values that other programs wrote, which are nobody's concern here.
            warnings.simplefilter("ignore")
            reference = read_reference(source, anonymize)
            made = _make(reference, segments, kind, algorithm)
            refer(made, reference)
            data = name_by_contents(made)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except MemoryError:
        raise  # which says nothing of the tags
    except Exception as error:  # highdicom and pydicom have no common class of what they raise
        reason = str(error).partition("\n")[0][:200]
        raise InputError(f"{path}: cannot be written as a DICOM segmentation ({reason})") from error
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def _make(
    reference: Reference,
    segments: tuple[np.ndarray, ...],
    kind: SegmentationTypeValues,
    algorithm: Algorithm,
) -> SegmentationObject:
    """The object, with stand-ins for what `refer` and `name_by_contents` fill in."""
    used = [
        index for index in range(len(reference.planes)) if any(s[index].any() for s in segments)
    ]
    # highdicom would look through the empty slices at length; one is needed if all are.
    kept = used or [0]
    pixels = np.stack([segment[kept] for segment in segments], axis=-1)
    if kind is SegmentationTypeValues.FRACTIONAL:
        pixels = pixels / np.float32(MAX_LEVEL)  # highdicom scales it back, exactly
    date, time = reference.moment
    made = SegmentationObject(
        source_images=[reference.planes[index] for index in kept],
        pixel_array=pixels,
        segmentation_type=kind,
        segment_descriptions=_describe(algorithm),
        series_instance_uid=derive_uid("stand-in"),
        series_number=_SERIES_NUMBERS[kind],
        sop_instance_uid=derive_uid("stand-in"),
        instance_number=1,
        manufacturer="liverjax",
        manufacturer_model_name=algorithm.name,
        software_versions=algorithm.version,
        device_serial_number=algorithm.version,
        max_fractional_value=MAX_LEVEL,
        content_label="LIVER_TUMOUR",
        content_description=_DESCRIPTION,
        series_description=_DESCRIPTION,
        content_qualification="RESEARCH",
        content_date=date,
        content_time=time,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        omit_empty_frames=bool(used),
    )
    # As in this package's other DICOM files; highdicom is named among the contributing equipment.
    made.file_meta.ImplementationClassUID = UID(derive_uid("implementation"))
    made.file_meta.ImplementationVersionName = "LIVERJAX"
    return made


def _describe(algorithm: Algorithm) -> list[SegmentDescription]:
    identification = AlgorithmIdentificationSequence(
        name=algorithm.name,
        family=codes.DCM.ArtificialIntelligence,
        version=algorithm.version,
        source="liverjax",
        parameters=dict(algorithm.parameters),
    )
    kinds = (
        ("Liver", _ANATOMY, codes.SCT.Liver, None),
        # Networks do not tell benign from malignant, nor primary tumours from metastases.
        (
            "Liver tumours",
            codes.SCT.MorphologicallyAbnormalStructure,
            codes.SCT.Neoplasm,
            [codes.SCT.Liver],
        ),
    )
    return [
        SegmentDescription(
            segment_number=number,
            segment_label=label,
            segmented_property_category=category,
            segmented_property_type=what,
            algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=identification,
            anatomic_regions=regions,
            display_color=CIELabColor.from_string(color),
        )
        for number, (color, (label, category, what, regions)) in enumerate(
            zip(_COLORS, kinds, strict=True), start=1
        )
    ]


def _check_shape(path: Path, source: DicomSource, name: str, array: np.ndarray) -> None:
    """Refuses an array that is not on the grid of the volume that the source gave."""
    if array.shape != source.volume_shape:
        raise InputError(
            f"{path}: {name}: expected the CT's shape {source.volume_shape}, found {array.shape}"
        )


def _check_place(path: Path, source: DicomSource, geometry: Geometry) -> None:
    """Refuses a grid that is turned or moved against the source, such as the canonical one."""
    rows, columns = source.shape
    steps = source.orientation[::-1] * source.pixel_spacing[:, None]  # mm per row, per column
    # Where steps are uneven, those between may lie a little beside the volume's.
    for item in (source.slices[0], source.slices[-1]):
        for row, column in ((0, 0), (rows - 1, 0), (0, columns - 1)):
            point = item.position + row * steps[0] + column * steps[1]
            found = np.linalg.solve(geometry.affine, [*point, 1.0])[:3]
            off = np.abs(found - (item.depth, item.row + row, column)).max()
            if off > _PLACE_TOLERANCE:
                raise InputError(
                    f"{path}: the labels lie elsewhere than the images that they are to refer to, "
                    f"by {off:.1f} voxels or more; give labels on the grid of the CT as it was read"
                )
