"""DICOM segmentations, as pydicom alone and highdicom read them."""

import copy

import numpy as np
import pydicom
import pytest
from highdicom.color import CIELabColor
from highdicom.seg import segread

from liverjax.errors import InputError
from liverjax.io.ct import read_scan
from liverjax.io.dicom.segmentation import write_segmentation_object
from liverjax.io.dicom.uid import derive_uid
from liverjax.reporting.drawing import LIVER_COLOR, TUMOR_COLOR
from liverjax.volume import Geometry, Segmentation
from tests.io.dicom.enhanced import enhanced_ct
from tests.io.dicom.files import SHAPE, SPACING, edited, write_files
from tests.io.dicom.objects import (
    ALGORITHM,
    FILES,
    HU,
    LABELS,
    example_labels,
    example_probabilities,
    read,
    read_frames,
    stacked,
    write,
)


@pytest.fixture
def scan(tmp_path):
    return read(tmp_path / "in", FILES)


def test_voxels_as_pydicom_and_highdicom_read_them(tmp_path, scan):
    path = write(tmp_path / "out.dcm", scan)
    _, frames = read_frames(path)
    np.testing.assert_array_equal(stacked(frames, 1), LABELS >= 1)
    np.testing.assert_array_equal(stacked(frames, 2), LABELS == 2)
    assert len(frames) == 7 + 3  # none that is empty
    uids = [str(file.SOPInstanceUID) for file in scan.source.files]
    seen = segread(path).get_pixels_by_source_instance(uids, assert_missing_frames_are_empty=True)
    np.testing.assert_array_equal(seen, np.stack([LABELS >= 1, LABELS == 2], axis=-1))


def test_segments_say_what_they_are(tmp_path, scan):
    dataset, _ = read_frames(write(tmp_path / "out.dcm", scan))
    assert (dataset.SegmentationType, dataset.ContentQualification) == ("BINARY", "RESEARCH")
    assert "research use" in dataset.ContentDescription
    assert (dataset.SeriesDescription, dataset.SegmentsOverlap) == (
        dataset.ContentDescription,
        "YES",
    )
    liver, tumor = dataset.SegmentSequence
    codes = [
        (
            item.SegmentedPropertyCategoryCodeSequence[0].CodeValue,
            item.SegmentedPropertyTypeCodeSequence[0].CodeValue,
        )
        for item in (liver, tumor)
    ]
    assert codes == [("123037004", "10200004"), ("49755003", "108369006")]
    assert tumor.AnatomicRegionSequence[0].CodeValue == "10200004"
    for item, color in ((liver, LIVER_COLOR), (tumor, TUMOR_COLOR)):
        shown = CIELabColor.from_string(color)
        assert item.RecommendedDisplayCIELabValue == list(shown.value)
        assert item.SegmentAlgorithmType == "AUTOMATIC"
        (identification,) = item.SegmentationAlgorithmIdentificationSequence
        assert identification.AlgorithmName == "liverjax cascade"
        assert identification.AlgorithmVersion == "1.2"
        assert identification.AlgorithmParameters == "liver=0123abcd,tumor=4567cdef"


def test_refers_to_the_image_in_the_same_place(tmp_path, scan):
    dataset, frames = read_frames(write(tmp_path / "out.dcm", scan))
    by_place = {
        float(file.ImagePositionPatient[2]): file.SOPInstanceUID for file in scan.source.files
    }
    for frame in frames:
        assert frame.image == by_place[frame.places[0, 0, 2]]
        assert frame.image_frame is None
    (series,) = dataset.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == scan.source.files[0].SeriesInstanceUID
    assert dataset.StudyInstanceUID == scan.source.files[0].StudyInstanceUID
    for items in (series.ReferencedInstanceSequence, dataset.SourceImageSequence):
        assert {item.ReferencedSOPInstanceUID for item in items} == set(by_place.values())
    assert dataset.FrameOfReferenceUID == derive_uid("frame of reference", series.SeriesInstanceUID)


def test_probabilities_are_rounded_to_255ths(tmp_path, scan):
    liver, tumor = example_probabilities()
    liver[1, 0, :4] = 0, 1, 0.499 / 255, 0.501 / 255
    path = write(tmp_path / "out.dcm", scan, (liver, tumor))
    dataset, frames = read_frames(path)
    assert dataset.SegmentationFractionalType == "PROBABILITY"
    assert (dataset.SegmentationType, dataset.MaximumFractionalValue) == ("FRACTIONAL", 255)
    assert stacked(frames, 1)[1, 0, :4].tolist() == [0, 255, 0, 1]
    for number, array in enumerate((liver, tumor), start=1):
        np.testing.assert_array_equal(stacked(frames, number), np.rint(array * np.float32(255)))
        assert np.abs(stacked(frames, number) / 255 - array).max() <= 0.5001 / 255
    assert len(frames) == 11 + 8
    uids = [str(file.SOPInstanceUID) for file in scan.source.files]
    seen = segread(path).get_pixels_by_source_instance(uids, assert_missing_frames_are_empty=True)
    np.testing.assert_allclose(seen, np.stack([liver, tumor], axis=-1), rtol=0, atol=0.5001 / 255)


def test_liver_without_tumours(tmp_path, scan):
    dataset, frames = read_frames(write(tmp_path / "out.dcm", scan, np.minimum(LABELS, 1)))
    assert {frame.segment for frame in frames} == {1}
    assert [item.SegmentNumber for item in dataset.SegmentSequence] == [1, 2]


@pytest.mark.parametrize("fractional", [False, True])
def test_nothing_found(tmp_path, scan, fractional):
    nothing = np.zeros(SHAPE, np.float32)
    path = write(
        tmp_path / "out.dcm", scan, (nothing,) * 2 if fractional else np.zeros_like(LABELS)
    )
    dataset, frames = read_frames(path)
    assert [(frame.segment, frame.values.any()) for frame in frames] == [(1, False), (2, False)]
    assert len(dataset.SourceImageSequence) == SHAPE[0]
    assert segread(path).number_of_segments == 2


def test_frames_of_multi_frame_images(tmp_path):
    order = [int(index) for index in np.random.default_rng(1).permutation(5)]
    files = {
        "b": enhanced_ct(HU[:5], order=order, name="b"),
        "a": enhanced_ct(HU[5:], first=5, name="a"),
    }
    scan = read(tmp_path / "in", files)
    np.testing.assert_array_equal(scan.volume.hu, HU)
    dataset, frames = read_frames(write(tmp_path / "out.dcm", scan))
    np.testing.assert_array_equal(stacked(frames, 1), LABELS >= 1)
    np.testing.assert_array_equal(stacked(frames, 2), LABELS == 2)
    for frame in frames:
        index = round(frame.places[0, 0, 2] / SPACING[0])
        expected = ("b", order.index(index) + 1) if index < 5 else ("a", index - 4)
        assert (frame.image, frame.image_frame) == (
            derive_uid("enhanced", expected[0]),
            expected[1],
        )
    assert len(dataset.SourceImageSequence) == 2
    assert dataset.SourceImageSequence[0].ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2.1"
    assert dataset.FrameOfReferenceUID == derive_uid("frame of reference", "enhanced")
    assert (dataset.ContentDate, dataset.ContentTime) == ("20240229", "101112")


def test_lies_on_the_slices_of_a_repaired_series(tmp_path):
    files = {name: data for name, data in FILES.items() if name != "image_4"}
    scan = read_scan(write_files(tmp_path / "in", files), lenient=True)
    assert scan.volume.hu.shape == SHAPE
    _, frames = read_frames(write(tmp_path / "out.dcm", scan))
    kept = LABELS.copy()
    kept[4] = 0  # no image to lie on
    np.testing.assert_array_equal(stacked(frames, 1), kept >= 1)
    np.testing.assert_array_equal(stacked(frames, 2), kept == 2)


def test_lies_on_the_slices_of_a_tilted_series(tmp_path):
    shift = 0.8 * SPACING[1]  # no slice half way between two rows
    files = {
        f"image_{index}": edited(
            FILES[f"image_{index}"], ImagePositionPatient=[0, -shift * index, SPACING[0] * index]
        )
        for index in range(SHAPE[0])
    }
    scan = read_scan(write_files(tmp_path / "in", files), lenient=True)
    labels = example_labels(scan.volume.hu.shape)
    _, frames = read_frames(write(tmp_path / "out.dcm", scan, labels))
    to_voxel = np.linalg.inv(scan.volume.geometry.affine)
    for frame in frames:
        index = round(frame.places[0, 0, 2] / SPACING[0])
        np.testing.assert_allclose(frame.places[0, 0], (0, -shift * index, SPACING[0] * index))
        assert frame.image == derive_uid(derive_uid("series", "patient"), str(index))
        voxels = frame.places @ to_voxel[:3, :3].T + to_voxel[:3, 3]
        d, h, w = np.moveaxis(np.rint(voxels).astype(int), -1, 0)
        expected = labels[d, h, w] >= frame.segment
        np.testing.assert_array_equal(frame.values, expected)


@pytest.mark.parametrize("fractional", [False, True])
def test_bytes_depend_on_the_arguments_alone(tmp_path, scan, fractional):
    labels = example_probabilities() if fractional else LABELS
    before = copy.deepcopy(scan.source.files)
    first = write(tmp_path / "first.dcm", scan, labels)
    again = write(tmp_path / "again.dcm", read(tmp_path / "in2", FILES), labels)
    assert first.read_bytes() == again.read_bytes()
    assert scan.source.files == before
    other = (labels[0], labels[1] * 0) if fractional else np.minimum(labels, 1)
    others = [
        write(tmp_path / "labels.dcm", scan, other),
        write(tmp_path / "version.dcm", scan, labels, ALGORITHM._replace(version="1.3")),
        write(tmp_path / "anonymous.dcm", scan, labels, anonymize=True),
    ]
    read_all = [pydicom.dcmread(path) for path in (first, *others)]
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
        assert len({dataset[keyword].value for dataset in read_all}) == len(read_all)
    assert (read_all[0].ContentDate, read_all[0].ContentTime) == ("19000101", "000000")


@pytest.mark.parametrize("shape", [(11, 6, 5), (13, 6, 5), (12, 5, 6), (12, 6, 6), (6, 5)])
def test_other_shapes_are_refused(tmp_path, scan, shape):
    with pytest.raises(InputError, match=r"liver: expected the CT's shape \(12, 6, 5\), found"):
        write(tmp_path / "out.dcm", scan, (np.zeros(shape, np.float32),) * 2)
    if len(shape) == 3:
        with pytest.raises(InputError, match="labels: expected the CT's shape"):
            write(tmp_path / "out.dcm", scan, np.zeros(shape, np.uint8))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_labels_that_lie_elsewhere_are_refused(tmp_path, scan, axis):
    affine = scan.volume.geometry.affine.copy()
    affine[:3, 3] += (SHAPE[axis] - 1) * affine[:3, axis]
    affine[:3, axis] *= -1
    turned = Segmentation(np.flip(LABELS, axis), Geometry(affine))
    with pytest.raises(InputError, match=r"the labels lie elsewhere .* grid of the CT"):
        write_segmentation_object(tmp_path / "out.dcm", scan.source, turned, ALGORITHM)


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan])
def test_what_is_no_probability_is_refused(tmp_path, scan, value):
    liver, tumor = example_probabilities()
    tumor[2, 2, 2] = value
    with pytest.raises(InputError, match="tumor: expected probabilities from 0 to 1"):
        write(tmp_path / "out.dcm", scan, (liver, tumor))


def test_a_description_that_does_not_fit_is_refused(tmp_path, scan):
    with pytest.raises(InputError, match="cannot be written as a DICOM segmentation"):
        write(tmp_path / "out.dcm", scan, algorithm=ALGORITHM._replace(name="x" * 65))
