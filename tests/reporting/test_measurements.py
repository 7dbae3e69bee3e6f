import itertools
import json

import numpy as np
import pytest
from contourpy import contour_generator
from nibabel import orientations
from scipy import ndimage, spatial

from liverjax.components import label_components
from liverjax.errors import InputError
from liverjax.reporting.measurements import measure, to_json
from liverjax.volume import Geometry, Segmentation, Volume, canonical_geometry, to_canonical

SHAPE = (8, 40, 50)
GRID = Geometry.from_axes((-20.0, 10.0, 100.0), (3.0, 0.5, 0.8))
UNKNOWN = Geometry.from_axes((0.0, 0.0, 0.0), None)


def labels(*tumors):
    """A liver of 6 x 30 x 40 voxels with tumours, each given as index expression."""
    array = np.zeros(SHAPE, np.uint8)
    array[1:7, 5:35, 5:45] = 1
    for tumor in tumors:
        array[tumor] = 2
    return array


def only_tumor(array, geometry=GRID):
    (tumor,) = measure(Segmentation(array, geometry)).tumors
    return tumor


def test_volumes_and_burden():
    found = measure(Segmentation(labels(np.s_[2:4, 10:20, 10:30]), GRID))
    voxel_ml = 3.0 * 0.5 * 0.8 / 1000
    assert (found.liver_voxels, found.tumor_voxels) == (7200, 400)
    assert found.liver_ml == pytest.approx(7200 * voxel_ml)
    assert found.tumor_ml == pytest.approx(400 * voxel_ml)
    assert found.tumor_burden == pytest.approx(400 / 7200)


def test_tumours_largest_first():
    found = measure(
        Segmentation(labels(np.s_[2, 7, 7], np.s_[3:5, 10:14, 10:14], np.s_[5, 20:23, 20]), GRID)
    )
    assert [tumor.voxels for tumor in found.tumors] == [32, 3, 1]
    assert sum(tumor.volume_ml for tumor in found.tumors) == pytest.approx(found.tumor_ml)


def test_pieces_that_touch_at_a_corner_are_one_tumour():
    assert only_tumor(labels(np.s_[2, 10, 10], np.s_[3, 11, 11])).voxels == 2


def test_center_in_patient_coordinates():
    tumor = only_tumor(labels(np.s_[2:5, 10:21, 20:23]))
    # Voxel (3, 15, 21): columns go left, rows back, slices up.
    expected = (-20 + 21 * 0.8, 10 + 15 * 0.5, 100 + 3 * 3.0)
    assert tumor.center_lps_mm == pytest.approx(expected)
    assert tumor.center_voxel == pytest.approx((3, 15, 21))


@pytest.mark.parametrize(
    ("tumor", "expected"),
    [
        (np.s_[2, 10, 10], 0.8),  # a pixel is as long as its longer side
        (np.s_[2, 10, 10:20], 8.0),
        (np.s_[2, 10:30, 10], 10.0),
        (np.s_[1:7, 10, 10], 0.8),  # only within a slice
    ],
)
def test_diameter_of_lines(tumor, expected):
    assert only_tumor(labels(tumor)).longest_axial_diameter_mm == pytest.approx(expected)


def test_diameter_of_a_block_runs_along_its_diagonal():
    tumor = only_tumor(labels(np.s_[2, 10:22, 10:30]))
    # From the outer edge of one corner pixel to that of the opposite one, along the columns.
    assert tumor.longest_axial_diameter_mm == pytest.approx(np.hypot(11 * 0.5, 20 * 0.8))


def test_diameter_matches_every_pair_of_points():
    rng = np.random.default_rng(3)
    array = labels()
    for column, up, down in zip(range(10, 25), *rng.integers(0, 9, (2, 15)), strict=True):
        array[3, 20 - up : 21 + down, column] = 2  # columns of random ends, all on row 20
    tumor = only_tumor(array)
    pixels = np.argwhere(array[3] == 2)
    edges = np.array([[0.5, 0], [-0.5, 0], [0, 0.5], [0, -0.5]])
    points = (pixels[:, None] + edges).reshape(-1, 2) * (0.5, 0.8)
    farthest = np.linalg.norm(points[:, None] - points[None], axis=-1).max()
    assert tumor.voxels == len(pixels)
    assert tumor.longest_axial_diameter_mm == pytest.approx(farthest)


def test_slice_of_the_longest_diameter():
    array = labels(np.s_[2, 10:13, 10:14], np.s_[3, 10, 10:16], np.s_[4, 10:12, 10:13])
    tumor = only_tumor(array)
    assert tumor.slice_index == 3
    assert tumor.longest_axial_diameter_mm == pytest.approx(6 * 0.8)


@pytest.mark.parametrize(
    ("tumor", "expected"),
    [
        (np.s_[2, 10, 10], 0.5),  # the longer side is the longest diameter
        (np.s_[2, 10, 10:20], 0.5),
        (np.s_[2, 10:30, 10], 0.8),
    ],
)
def test_perpendicular_of_lines(tumor, expected):
    assert only_tumor(labels(tumor)).perpendicular_diameter_mm == pytest.approx(expected)


def test_perpendicular_lies_in_the_slice_of_the_longest_diameter():
    array = labels(np.s_[2, 20, 10:30], np.s_[3, 15:25, 18:21])
    tumor = only_tumor(array)
    assert tumor.slice_index == 2
    assert tumor.perpendicular_diameter_mm == pytest.approx(0.5)


@pytest.mark.parametrize("turn", [0, 20, 45, 70, 90, 155])
def test_diameters_of_an_ellipse(turn):
    """Of 40 mm by 16 mm, in pixels of 0.5 mm by 0.8 mm: within a pixel."""
    rows, columns = np.mgrid[:100, :70]
    down, right = (rows - 50) * 0.5, (columns - 35) * 0.8
    angle = np.deg2rad(turn)
    along = right * np.cos(angle) + down * np.sin(angle)
    across = down * np.cos(angle) - right * np.sin(angle)
    array = (2 * ((along / 20) ** 2 + (across / 8) ** 2 <= 1)).astype(np.uint8)[None]
    tumor = only_tumor(array)
    assert tumor.longest_axial_diameter_mm == pytest.approx(40, abs=0.81)
    assert tumor.perpendicular_diameter_mm == pytest.approx(16, abs=0.81)


def test_diameters_do_not_depend_on_how_the_grid_lies_in_the_patient():
    array = labels(np.s_[3, 10:22, 10:30], np.s_[3, 22:30, 14:17])
    turn = spatial.transform.Rotation.from_euler("zyx", (20, -13, 8), degrees=True).as_matrix()
    oblique = np.eye(4)
    oblique[:3, :3] = turn @ GRID.affine[:3, :3]
    one, other = only_tumor(array), only_tumor(array, Geometry(oblique))
    assert other.longest_axial_diameter_mm == pytest.approx(one.longest_axial_diameter_mm)
    assert other.perpendicular_diameter_mm == pytest.approx(one.perpendicular_diameter_mm)


def test_perpendicular_is_a_line_of_the_tumour_not_its_extent():
    """A bar with teeth that point to opposite sides at different places."""
    array = labels(np.s_[3, 20, 6:44], np.s_[3, 21:30, 15], np.s_[3, 11:20, 30])
    tumor = only_tumor(array, Geometry.from_axes((0.0, 0.0, 0.0), (3.0, 1.0, 1.0)))
    assert tumor.longest_axial_diameter_mm == pytest.approx(38)
    assert tumor.perpendicular_diameter_mm == pytest.approx(10)  # the extent is 19


def test_perpendicular_of_a_square_runs_along_its_other_diagonal():
    tumor = only_tumor(labels(np.s_[3, 10:20, 10:20]), Geometry.from_axes((0, 0, 0), (3, 1, 1)))
    assert tumor.perpendicular_diameter_mm == pytest.approx(tumor.longest_axial_diameter_mm, 0.06)


def test_diameters_are_of_one_piece_of_a_slice():
    """Two islands at the ends of a slice, joined in the next one by a bridge that is shorter."""
    array = labels(np.s_[2, 10:14, 6:12], np.s_[2, 10, 40:44], np.s_[3, 11, 11:41])
    array[4, 11, 6:44] = 2  # joins in another slice, and is the longest
    tumor = only_tumor(array)
    assert (tumor.slice_index, tumor.longest_axial_diameter_mm) == (4, pytest.approx(38 * 0.8))
    array[4] = labels()[4]
    array[3, 11, 20] = 1  # an island each, and two parts of the bridge
    array[2, 11, 18:23] = 2
    tumor = only_tumor(array)
    assert (tumor.slice_index, tumor.longest_axial_diameter_mm) == (3, pytest.approx(20 * 0.8))
    assert tumor.perpendicular_diameter_mm == pytest.approx(0.5)


def test_pixels_that_touch_at_a_corner_are_one_piece():
    tumor = only_tumor(labels(np.s_[2, 10, 10:14], np.s_[2, 11, 14:18]))
    assert tumor.longest_axial_diameter_mm == pytest.approx(np.hypot(8 * 0.8, 0.5), abs=0.02)


def test_piece_within_the_box_of_another_is_measured_for_itself():
    """A dot in the bend of an L, which the slice above joins to it."""
    array = labels(np.s_[2, 10:30, 10], np.s_[2, 29, 10:20], np.s_[2, 12, 18], np.s_[3, 11, 11:18])
    alone = labels(np.s_[2, 10:30, 10], np.s_[2, 29, 10:20])
    found, expected = only_tumor(array), only_tumor(alone)
    assert found.voxels == expected.voxels + 8
    assert found.slice_index == 2
    assert found.longest_axial_diameter_mm == expected.longest_axial_diameter_mm
    assert found.perpendicular_diameter_mm == expected.perpendicular_diameter_mm


def test_of_equally_long_pieces_the_widest_counts():
    """Two bars of one length in slices 2 and 4, the second with a tooth; again in slice 5."""
    array = labels(np.s_[2, 10, 10:30], np.s_[3, 10:15, 12], np.s_[4:6, 14, 10:30])
    array[4:6, 15:18, 20] = 2
    tumor = only_tumor(array)
    assert tumor.longest_axial_diameter_mm == pytest.approx(20 * 0.8)
    assert tumor.slice_index == 4
    assert tumor.perpendicular_diameter_mm == pytest.approx(4 * 0.5)


def test_perpendicular_spans_holes():
    ring = labels(np.s_[3, 10:21, 8:33])
    ring[3, 12:19, 10:31] = 1
    solid = only_tumor(labels(np.s_[3, 10:21, 8:33]))
    assert only_tumor(ring).perpendicular_diameter_mm == pytest.approx(
        solid.perpendicular_diameter_mm
    )


def test_perpendicular_matches_dense_sampling(rng):
    """Against lines across at many places, each cut with the outline that contours follow."""
    array = np.zeros((1, 30, 40), np.uint8)
    array[0, 8:22, 8:32] = 2 * (ndimage.gaussian_filter(rng.random((14, 24)), 2) > 0.49)
    pieces = label_components(array == 2)
    array[pieces != np.bincount(pieces[pieces > 0]).argmax()] = 0
    mask = array[0] == 2
    edges = np.array([[0.5, 0], [-0.5, 0], [0, 0.5], [0, -0.5]])
    points = (np.argwhere(mask)[:, None] + edges).reshape(-1, 2) * (0.5, 0.8)
    lengths = spatial.distance.cdist(points, points)
    one, other = np.unravel_index(lengths.argmax(), lengths.shape)
    along = (points[other] - points[one]) / lengths.max()
    lines = contour_generator(z=mask.astype(float)).lines(0.5)
    dense = np.concatenate(
        [
            a + (b - a) * np.linspace(0, 1, 60)[:, None]
            for line in lines
            for a, b in itertools.pairwise(line[:, ::-1] * (0.5, 0.8))
        ]
    )
    place = np.round(dense @ along / 0.02).astype(int)
    across = dense @ (-along[1], along[0])
    widest = max(np.ptp(across[place == value]) for value in np.unique(place))
    tumor = only_tumor(array)
    assert tumor.longest_axial_diameter_mm == pytest.approx(lengths.max())
    assert tumor.perpendicular_diameter_mm == pytest.approx(widest, abs=0.05)


def test_mean_hu():
    array = labels(np.s_[2, 10, 10:12])
    hu = np.full(SHAPE, 900, np.int16)
    hu[2, 10, 10:12] = (30, 51)
    (tumor,) = measure(Segmentation(array, GRID), Volume(hu, GRID)).tumors
    assert tumor.mean_hu == 40.5
    assert only_tumor(array).mean_hu is None


def test_mean_hu_of_the_liver_leaves_its_tumours_out():
    array = labels(np.s_[2, 10, 10:12])
    hu = np.full(SHAPE, 900, np.int16)
    hu[array == 1] = 60
    found = measure(Segmentation(array, GRID), Volume(hu, GRID))
    assert found.liver_mean_hu == 60.0
    assert measure(Segmentation(array, GRID)).liver_mean_hu is None
    only = Segmentation(np.where(array == 2, 2, 0).astype(np.uint8), GRID)
    assert measure(only, Volume(hu, GRID)).liver_mean_hu is None


def test_figures_do_not_depend_on_the_orientation_of_the_array():
    """The same patient, stored with other axes, measures the same."""
    array = labels(np.s_[2, 10:22, 10:30], np.s_[5:7, 30, 8:14])
    hu = np.random.default_rng(0).integers(-50, 150, SHAPE).astype(np.int16)
    expected = measure(Segmentation(array, GRID), Volume(hu, GRID))
    turn = np.array([[2, -1], [0, 1], [1, -1]])
    stored = orientations.apply_orientation(array, turn)
    geometry = Geometry(GRID.affine @ orientations.inv_ornt_aff(turn, SHAPE))
    assert stored.shape != SHAPE
    np.testing.assert_array_equal(to_canonical(stored, geometry), array)
    assert canonical_geometry(stored.shape, geometry).matches(GRID)
    volume = Volume(orientations.apply_orientation(hu, turn), geometry)
    found = measure(Segmentation(stored, geometry), volume)
    assert found.liver_ml == pytest.approx(expected.liver_ml)
    for one, other in zip(found.tumors, expected.tumors, strict=True):
        assert one.slice_index == other.slice_index
        assert one.center_lps_mm == pytest.approx(other.center_lps_mm)
        assert one.center_voxel == pytest.approx(other.center_voxel)
        assert one.longest_axial_diameter_mm == pytest.approx(other.longest_axial_diameter_mm)
        assert one.perpendicular_diameter_mm == pytest.approx(other.perpendicular_diameter_mm)
        assert one.mean_hu == pytest.approx(other.mean_hu)


def test_unknown_spacing_gives_counts_and_ratios_only():
    array = labels(np.s_[2:4, 10:20, 10:30])
    found = measure(Segmentation(array, UNKNOWN), Volume(np.zeros(SHAPE, np.int16), UNKNOWN))
    assert (found.liver_voxels, found.tumor_voxels) == (7200, 400)
    assert found.tumor_burden == pytest.approx(400 / 7200)
    assert (found.liver_ml, found.tumor_ml) == (None, None)
    (tumor,) = found.tumors
    assert (tumor.voxels, tumor.slice_index, tumor.mean_hu) == (400, 2, 0.0)
    assert tumor.volume_ml is None
    assert tumor.longest_axial_diameter_mm is None
    assert tumor.perpendicular_diameter_mm is None
    assert tumor.center_voxel == (2.5, 14.5, 19.5)
    assert tumor.center_lps_mm is None


def test_nothing_found():
    found = measure(Segmentation(np.zeros(SHAPE, np.uint8), GRID))
    assert (found.liver_ml, found.tumor_ml, found.tumor_burden) == (0.0, 0.0, None)
    assert found.tumors == ()


def test_another_grid_is_refused():
    segmentation = Segmentation(labels(), GRID)
    with pytest.raises(InputError, match="CT and segmentation"):
        measure(segmentation, Volume(np.zeros((8, 40, 51), np.int16), GRID))
    with pytest.raises(InputError, match="CT and segmentation"):
        measure(segmentation, Volume(np.zeros(SHAPE, np.int16), UNKNOWN))


def test_to_json_survives_json():
    array = labels(np.s_[2, 10:22, 10:30], np.s_[5, 20, 20])
    volume = Volume(np.full(SHAPE, 55, np.int16), GRID)
    found = to_json(measure(Segmentation(array, GRID), volume))
    read = json.loads(json.dumps(found, allow_nan=False))
    assert read["liver_voxels"] == 7200
    assert [tumor["mean_hu"] for tumor in read["tumors"]] == [55.0, 55.0]
    assert set(read["tumors"][0]) == {
        "voxels",
        "volume_ml",
        "longest_axial_diameter_mm",
        "perpendicular_diameter_mm",
        "slice_index",
        "center_voxel",
        "center_lps_mm",
        "mean_hu",
    }
