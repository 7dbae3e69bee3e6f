"""Every voxel of a result lies where the CT's own tags have it, however the CT is turned."""

import itertools

import nibabel as nib
import numpy as np
import pydicom
import pytest

from liverjax.io.ct import read_scan
from liverjax.io.dicom.reference import Algorithm
from liverjax.io.dicom.segmentation import write_segmentation_object
from liverjax.io.nifti import write_segmentation
from liverjax.volume import Segmentation, to_canonical
from tests.io.dicom.files import edited, series_files, write_files
from tests.io.dicom.objects import pixel_places, read_frames

SHAPE = (6, 5, 4)
SPACING = (2.5, 0.75, 1.25)
ORIGIN = np.array([-31.25, 17.5, -203.0])
# Every voxel has a value of its own, by which it is known wherever it comes to lie.
HU = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
AXES = [tuple(sign * axis) for axis in np.eye(3) for sign in (1, -1)]
RIGHT = [(row, column) for row, column in itertools.product(AXES, AXES) if not np.dot(row, column)]


def labels_by_hu():
    """The label of each value of HU: a liver without any symmetry, with a tumour at one end."""
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[1:5, 1:4, 1:3] = 1
    labels[2, 0, 1] = labels[4, 4, 2] = labels[1, 2, 3] = 1
    labels[3, 1, 1:3] = labels[4, 3, 2] = labels[5, 1, 0] = 2
    return labels.ravel()


LABELS = labels_by_hu()


def rotation(*degrees):
    """Rows are turned axes."""
    turned = np.eye(3)
    for axis, angle in enumerate(np.deg2rad(degrees)):
        cosine, sine = np.cos(angle), np.sin(angle)
        turn = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
        turned = turned @ np.roll(turn, (axis, axis), axis=(0, 1))
    return turned


OBLIQUE = [tuple(map(tuple, rotation(*angles)[:2])) for angles in ((12, -20, 31), (75, 110, -160))]


def assert_same_places(found, expected):
    """Two lists of points [N, 3] are the same, to 0.01 mm, in any order."""
    assert found.shape == expected.shape
    away = np.linalg.norm(found[:, None] - expected[None], axis=-1)
    assert away.min(axis=0).max() < 0.01
    assert away.min(axis=1).max() < 0.01


def nifti_places(path):
    """LPS mm and value of every voxel, by nibabel alone."""
    image = nib.load(path)
    indices = np.indices(image.shape).reshape(3, -1)
    places = image.affine @ np.concatenate([indices, np.ones((1, indices.shape[1]))])
    return places[:3].T * (-1, -1, 1), np.asarray(image.dataobj).reshape(-1)


def check_nifti(path, places):
    """Checks the labels of a NIfTI file; `places` are those of the voxels by their HU."""
    found, labels = nifti_places(path)
    for least in (1, 2):
        assert_same_places(found[labels >= least], places[least <= LABELS])


@pytest.mark.parametrize(("row", "column"), RIGHT + OBLIQUE)
def test_dicom_in_any_orientation(tmp_path, row, column):
    normal = np.cross(row, column)
    files, places = {}, np.empty((HU.size, 3))
    for index, (name, data) in enumerate(series_files(HU, spacing=SPACING).items()):
        files[name] = edited(
            data,
            ImageOrientationPatient=[f"{value:.12f}" for value in (*row, *column)],
            ImagePositionPatient=[f"{value:.9f}" for value in ORIGIN + index * SPACING[0] * normal],
        )
    folder = write_files(tmp_path / "in", files)
    for path in folder.iterdir():
        tags = pydicom.dcmread(path)
        places[tags.pixel_array.ravel()] = pixel_places(
            tags.ImagePositionPatient, tags.ImageOrientationPatient, tags.PixelSpacing, SHAPE[1:]
        ).reshape(-1, 3)
    scan = read_scan(folder)
    segmentation = Segmentation(LABELS[scan.volume.hu], scan.volume.geometry)

    write_segmentation(tmp_path / "labels.nii", segmentation)
    check_nifti(tmp_path / "labels.nii", places)
    path = tmp_path / "labels.dcm"
    write_segmentation_object(path, scan.source, segmentation, Algorithm("test", "1", {}))
    _, frames = read_frames(path)
    for segment in (1, 2):
        found = [frame.places[frame.values > 0] for frame in frames if frame.segment == segment]
        assert_same_places(np.concatenate(found), places[segment <= LABELS])


@pytest.mark.parametrize("turned", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flipped", list(itertools.product((False, True), repeat=3)))
def test_nifti_in_any_orientation(tmp_path, turned, flipped):
    # Array axes to the left, the back and the head, in the file's coordinates, which are RAS.
    steps = np.diag([-SPACING[2], -SPACING[1], SPACING[0]])
    stored, origin, columns = HU.T.transpose(turned), ORIGIN.copy(), []
    for axis, (kept, flip) in enumerate(zip(turned, flipped, strict=True)):
        columns.append(-steps[kept] if flip else steps[kept])
        if flip:
            origin += (stored.shape[axis] - 1) * steps[kept]
            stored = np.flip(stored, axis)
    affine = np.eye(4)
    affine[:3] = np.column_stack([*columns, origin])
    nib.save(nib.Nifti1Image(stored, affine), tmp_path / "ct.nii")
    places, hu = nifti_places(tmp_path / "ct.nii")

    volume = read_scan(tmp_path / "ct.nii").volume
    labels = LABELS[volume.hu]
    write_segmentation(tmp_path / "labels.nii", Segmentation(labels, volume.geometry))
    check_nifti(tmp_path / "labels.nii", places[np.argsort(hu)])
    np.testing.assert_array_equal(to_canonical(volume.hu, volume.geometry), HU)
    np.testing.assert_array_equal(to_canonical(labels, volume.geometry), LABELS[HU])


def test_all_orientations_are_there():
    assert len(RIGHT) == 24
