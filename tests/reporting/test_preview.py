import matplotlib.image
import numpy as np
import pytest
from matplotlib import pyplot as plt

from liverjax.errors import InputError
from liverjax.reporting.preview import choose_slices, save_preview
from liverjax.volume import Geometry, Segmentation, Volume

SHAPE = (20, 40, 60)
GRID = Geometry.from_axes((0.0, 0.0, 0.0), (3.0, 1.0, 1.0))


def labels():
    """A liver in slices 4 to 15 on the patient's right, a tumour widest in slice 11."""
    array = np.zeros(SHAPE, np.uint8)
    array[4:16, 10:30, 5:30] = 1
    array[9:13, 15:18, 10:13] = 2
    array[11, 15:25, 10:25] = 2
    return array


def volume(geometry=GRID):
    return Volume(np.full(SHAPE, 40, np.int16), geometry)


def render(path, ct, segmentation, **options):
    """Pixels [h, w, 3] of the preview, 0 to 1."""
    save_preview(path, ct, segmentation, **options)
    assert list(path.parent.iterdir()) == [path]
    return matplotlib.image.imread(path)[..., :3]


def tinted(pixels, blue):
    """Fraction of pixels that are bluish (liver) or, with blue=False, orange (tumour)."""
    difference = pixels[..., 2] - pixels[..., 0]
    return np.mean(difference > 0.05 if blue else difference < -0.05)


def test_slices_lie_evenly_and_include_most_tumour():
    empty = np.where(labels() == 2, 1, labels()).astype(np.uint8)
    assert choose_slices([empty], 4) == [5, 8, 11, 14]
    assert choose_slices([empty], 3) == [6, 10, 14]
    assert choose_slices([labels()], 3) == [6, 11, 14]
    assert choose_slices([labels()], 1) == [11]


def test_slices_are_never_more_than_there_are():
    assert choose_slices([labels()], 100) == list(range(4, 16))


def test_slices_without_a_liver_cover_the_volume():
    assert choose_slices([np.zeros(SHAPE, np.uint8)], 4) == [2, 7, 12, 17]


def test_slices_show_what_the_prediction_missed():
    missed = np.zeros(SHAPE, np.uint8)
    assert choose_slices([missed, labels()], 3) == [6, 11, 14]


def test_picture_shows_liver_and_tumour(tmp_path):
    pixels = render(tmp_path / "preview.png", volume(), Segmentation(labels(), GRID), tiles=1)
    assert tinted(pixels, blue=True) > 0.05
    assert tinted(pixels, blue=False) > 0.02
    # The patient's right, where the liver is, is on the left of the picture.
    left, right = np.array_split(pixels, 2, axis=1)
    assert tinted(left, blue=True) > 10 * tinted(right, blue=True)


def test_picture_is_the_same_for_an_array_stored_the_other_way(tmp_path):
    """A volume stored from the head down and from left to right shows as one stored canonically."""
    affine = GRID.affine @ np.diag([-1.0, 1.0, -1.0, 1.0])
    affine[:3, 3] = GRID.affine[:3] @ [SHAPE[0] - 1, 0, SHAPE[2] - 1, 1]
    geometry = Geometry(affine)
    hu = np.random.default_rng(0).integers(-90, 200, SHAPE).astype(np.int16)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = render(tmp_path / "a" / "p.png", Volume(hu, GRID), Segmentation(labels(), GRID))
    flipped = Segmentation(labels()[::-1, :, ::-1], geometry)
    other = render(tmp_path / "b" / "p.png", Volume(hu[::-1, :, ::-1], geometry), flipped)
    np.testing.assert_array_equal(one, other)


def test_tiles_keep_the_proportions_of_the_voxels(tmp_path):
    stretched = Geometry.from_axes((0.0, 0.0, 0.0), (3.0, 2.0, 1.0))
    heights = []
    for name, grid in (("square", GRID), ("stretched", stretched)):
        (tmp_path / name).mkdir()
        segmentation = Segmentation(labels(), grid)
        pixels = render(tmp_path / name / "p.png", volume(grid), segmentation, tiles=1)
        heights.append(np.count_nonzero((pixels > 0.2).any(axis=2).mean(axis=1) > 0.5))
    assert heights[1] / heights[0] == pytest.approx(2, rel=0.05)


def test_reference_is_drawn(tmp_path):
    nothing = Segmentation(np.zeros(SHAPE, np.uint8), GRID)
    reference = Segmentation(labels(), GRID)
    lit = []
    for shown in (None, reference):
        pixels = render(tmp_path / "p.png", volume(), nothing, reference=shown, tiles=1)
        inside = pixels[50:190, 25:185]  # around the liver, away from the letters and the legend
        lit.append(np.count_nonzero(inside.min(axis=2) > 0.7))
    assert lit[0] == 0
    assert lit[1] > 200


def test_odd_volumes_are_drawn(tmp_path):
    air = Volume(np.full((1, 8, 8), -1000, np.int16), Geometry.from_axes((0.0, 0.0, 0.0), None))
    everywhere = Segmentation(np.full((1, 8, 8), 2, np.uint8), air.geometry)
    assert render(tmp_path / "p.png", air, everywhere).size > 0


def test_pyplot_keeps_no_figure(tmp_path):
    before = plt.get_fignums()
    save_preview(tmp_path / "p.png", volume(), Segmentation(labels(), GRID), tiles=1)
    assert plt.get_fignums() == before


def test_another_grid_is_refused(tmp_path):
    elsewhere = Geometry.from_axes((0.0, 0.0, 9.0), (3.0, 1.0, 1.0))
    wrong = Segmentation(labels(), elsewhere)
    with pytest.raises(InputError, match="CT and segmentation"):
        save_preview(tmp_path / "p.png", volume(), wrong)
    with pytest.raises(InputError, match="CT and reference"):
        save_preview(tmp_path / "p.png", volume(), Segmentation(labels(), GRID), reference=wrong)
    assert list(tmp_path.iterdir()) == []
