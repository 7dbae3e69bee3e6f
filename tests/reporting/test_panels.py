import matplotlib.image
import numpy as np
import pytest

from liverjax.errors import InputError
from liverjax.reporting.drawing import LIVER_COLOR, TUMOR_COLOR
from liverjax.reporting.panels import HEADINGS, choose_slices, draw_panels, save_panels
from liverjax.volume import Geometry, Segmentation, Volume

SHAPE = (12, 40, 60)
GRID = Geometry.from_axes((0.0, 0.0, 0.0), (3.0, 1.0, 1.0))


def labels():
    """A liver in slices 2 to 9 on the patient's right, a tumour in slice 6."""
    array = np.zeros(SHAPE, np.uint8)
    array[2:10, 10:30, 5:30] = 1
    array[6, 15:20, 10:15] = 2
    return array


def volume(geometry=GRID):
    return Volume(np.full(SHAPE, 40, np.int16), geometry)


def rows_of(prediction, reference, geometry=GRID):
    """Axes of the figure, a list per row of it."""
    segmentations = (Segmentation(each, geometry) for each in (prediction, reference))
    axes = draw_panels(volume(geometry), *segmentations).axes
    return [axes[start : start + 3] for start in range(0, len(axes), 3)]


def texts(axes):
    return [text.get_text() for text in axes.texts if text.get_text()]


def outlines(axes):
    """Colours of the outlines on one panel."""
    return {
        "#" + bytes(int(255 * part) for part in color[:3]).hex()
        for contour in axes.collections
        for color in contour.get_edgecolor()
    }


def predicted():
    """The liver cut off in slice 8 and whole in 3, and a false tumour in slice 4."""
    array = labels()
    array[2:10, 10:12] = 0
    array[3] = labels()[3]
    array[8, 20:] = 0
    array[4, 12:14, 8:10] = 2
    return array


def test_the_best_and_the_worst_slice_of_both_structures():
    panels = rows_of(predicted(), labels())
    assert [texts(row[0])[0] for row in panels] == [
        "slice 3\nbest liver, Dice 1.00",
        f"slice 8\nworst liver, Dice {2 * 8 / 28:.2f}",
        "slice 6\nbest tumour, Dice 1.00",
        "slice 4\nworst false tumour, Dice 0.00",
    ]
    assert [axes.get_title() for axes in panels[0]] == list(HEADINGS)
    assert "truth" in HEADINGS[1]
    assert "HU" in HEADINGS[0]
    for row in panels:
        assert outlines(row[0]) == set()
        assert len(row[0].images) == 1
    for axes, expected in zip(panels[2][1:], (labels()[6], predicted()[6]), strict=True):
        assert outlines(axes) == {LIVER_COLOR, TUMOR_COLOR}
        np.testing.assert_array_equal(axes.images[1].get_array()[..., 3] > 0, expected > 0)


def test_of_equal_slices_the_one_with_most_voxels_is_shown():
    bigger = labels()
    bigger[7, 10:31, 5:30] = 1
    liver, tumor = choose_slices(bigger, bigger)
    assert liver == (7, "slice 7\nlargest liver, Dice 1.00")
    assert tumor == (6, "slice 6\nonly tumour, Dice 1.00")
    missed = choose_slices(np.where(bigger == 2, 1, bigger), bigger)[1]
    assert missed == (6, "slice 6\nonly tumour, Dice 0.00")


def test_a_slice_that_is_chosen_twice_comes_once():
    both = labels()
    both[6, 20:] = 0
    liver = choose_slices(both, labels())[1]
    assert liver.number == 6
    assert liver.title.splitlines()[2] == "only tumour, Dice 1.00"
    assert len(choose_slices(both, labels())) == 2


def test_without_a_ct_masks_are_drawn_on_black_where_they_are():
    segmentations = (Segmentation(each, GRID) for each in (predicted(), labels()))
    axes = draw_panels(None, *segmentations).axes
    assert len(axes) == 2 * 4
    assert [each.get_title() for each in axes[:2]] == ["truth", "prediction"]
    assert texts(axes[0])[0] == "slice 3\nbest liver, Dice 1.00"
    for each in axes:
        shown = each.images[0]
        assert np.asarray(shown.get_array()).max() <= shown.get_clim()[0]
    # Rows 10 to 29 and columns 5 to 29, with a margin of 8.
    assert axes[0].images[0].get_array().shape == (36, 38)
    np.testing.assert_array_equal(
        axes[1].images[1].get_array()[..., 3] > 0, predicted()[3, 2:38, :38] > 0
    )


def test_patient_right_is_on_the_left_whatever_the_orientation_of_the_array():
    affine = GRID.affine @ np.diag([-1.0, 1.0, -1.0, 1.0])
    affine[:3, 3] = GRID.affine[:3] @ [SHAPE[0] - 1, 0, SHAPE[2] - 1, 1]
    flipped = labels()[::-1, :, ::-1]
    for panels in (
        rows_of(labels(), labels()),
        rows_of(flipped, flipped, geometry=Geometry(affine)),
    ):
        for axes in panels[0]:
            sides = {text.get_text(): text.get_position()[0] for text in axes.texts}
            assert sides["R"] < 0.5 < sides["L"]
            assert not axes.xaxis_inverted()
        # The liver is on the right, so in the left half of the picture.
        shown = panels[0][1].images[1].get_array()[..., 3] > 0
        assert shown[:, :30].sum() == 20 * 25
        assert shown[:, 30:].sum() == 0
        assert texts(panels[0][0])[0].startswith("slice 2\n")


@pytest.mark.parametrize("spacing", [(3.0, 2.0, 1.0), None])
def test_panels_have_the_proportions_of_the_voxels(spacing):
    geometry = Geometry.from_axes((0.0, 0.0, 0.0), spacing)
    axes = rows_of(labels(), labels(), geometry=geometry)[0][0]
    box = axes.get_window_extent()
    stretch = 2 if spacing else 1
    assert axes.get_aspect() == stretch
    assert box.height / box.width == pytest.approx(stretch * 40 / 60, rel=0.03)


def test_what_is_missed_or_invented_chooses_slices_too():
    nothing = np.zeros(SHAPE, np.uint8)
    for prediction, reference in ((nothing, labels()), (labels(), nothing)):
        panels = rows_of(prediction, reference)
        false = "false " if reference is nothing else ""
        title = f"slice 6\nonly {false}tumour, Dice 0.00"
        assert [texts(row[0])[0] for row in panels][-1] == title
        without, with_liver = (1, 2) if reference is nothing else (2, 1)
        assert outlines(panels[-1][without]) == set()
        assert outlines(panels[-1][with_liver]) == {LIVER_COLOR, TUMOR_COLOR}


def test_a_notice_stands_above_the_first_slice():
    sides = [Segmentation(labels(), GRID)] * 2
    first = draw_panels(volume(), *sides, "not held out").axes[0]
    assert texts(first)[0].startswith("not held out\nslice ")


def test_no_liver_at_all_is_drawn(tmp_path):
    nothing = Segmentation(np.zeros(SHAPE, np.uint8), GRID)
    assert texts(draw_panels(volume(), nothing, nothing).axes[0])[0] == "slice 6\nno liver"
    save_panels(tmp_path / "p.png", volume(), nothing, nothing)
    save_panels(tmp_path / "p.png", None, nothing, nothing)
    assert [path.name for path in tmp_path.iterdir()] == ["p.png"]
    air = Volume(np.full((1, 8, 8), -1000, np.int16), GRID)
    everywhere = Segmentation(np.full((1, 8, 8), 2, np.uint8), GRID)
    save_panels(tmp_path / "p.png", air, everywhere, everywhere)
    assert matplotlib.image.imread(tmp_path / "p.png").size > 0


def test_another_grid_is_refused_and_nothing_written(tmp_path):
    fine = Segmentation(labels(), GRID)
    wrong = Segmentation(labels(), Geometry.from_axes((0.0, 0.0, 9.0), (3.0, 1.0, 1.0)))
    with pytest.raises(InputError, match="CT and prediction"):
        save_panels(tmp_path / "p.png", volume(), wrong, fine)
    with pytest.raises(InputError, match="CT and reference"):
        save_panels(tmp_path / "p.png", volume(), fine, wrong)
    with pytest.raises(InputError, match="prediction and reference"):
        save_panels(tmp_path / "p.png", None, fine, wrong)
    assert list(tmp_path.iterdir()) == []
