import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from liverjax.evaluation.confusion import Confusion
from liverjax.reporting.confusion import draw_confusion, save_confusion

THESIS = Confusion(true_negative=62930, false_positive=216, false_negative=38, true_positive=2352)


def draw(confusion):
    """Axes with the matrix, and its texts by (true class, predicted class)."""
    axes = Figure().subplots()
    draw_confusion(axes, confusion, "tumour", "all voxels")
    cells = {tuple(text.get_position()[::-1]): text.get_text().split("\n") for text in axes.texts}
    assert list(cells) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    return axes, cells


def test_rows_are_true_and_columns_predicted():
    axes, cells = draw(THESIS)
    assert cells == {
        (0, 0): ["TN", "62,930", "99.66%"],
        (0, 1): ["FP", "216", "0.34%"],
        (1, 0): ["FN", "38", "1.59%"],
        (1, 1): ["TP", "2,352", "98.41%"],
    }
    assert axes.get_ylabel().startswith("truth")
    assert axes.get_xlabel().startswith("prediction")
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == ["no tumour", "tumour"]
    # The first row is at the top: the axis runs down.
    assert axes.get_ylim()[0] > axes.get_ylim()[1]


def test_colours_are_shares_of_the_true_class():
    axes, _ = draw(THESIS)
    shares = axes.images[0].get_array()
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert shares[1, 1] == pytest.approx(2352 / 2390)
    assert axes.images[0].get_clim() == (0, 1)


@pytest.mark.parametrize(
    ("confusion", "shares"),
    [
        (Confusion(900, 100, 0, 0), ["90.00%", "10.00%", "-", "-"]),
        (Confusion(0, 0, 30, 10), ["-", "-", "75.00%", "25.00%"]),
        (Confusion(0, 0, 0, 0), ["-", "-", "-", "-"]),
    ],
)
def test_a_class_without_a_voxel_has_no_share(confusion, shares):
    axes, cells = draw(confusion)
    assert [share for _, _, share in cells.values()] == shares
    missing = np.ma.getmaskarray(axes.images[0].get_array()).ravel()
    assert missing.tolist() == [share == "-" for share in shares]


def test_nearly_none_and_nearly_all_do_not_show_as_none_and_all():
    _, cells = draw(Confusion(10_000_000, 3, 0, 5))
    assert cells[0, 0][2] == "> 99.99%"
    assert cells[0, 1][2] == "< 0.01%"
    assert (cells[1, 0][2], cells[1, 1][2]) == ("0.00%", "100.00%")


def test_text_can_be_read_on_its_cell():
    axes, _ = draw(THESIS)
    assert [text.get_color() for text in axes.texts] == ["white", "black", "black", "white"]


def test_file_is_whole_or_not_there(tmp_path, monkeypatch):
    save_confusion(tmp_path / "c.png", THESIS, "tumour", "all voxels")
    assert [path.name for path in tmp_path.iterdir()] == ["c.png"]
    assert matplotlib.image.imread(tmp_path / "c.png").shape[0] > 500
    before = (tmp_path / "c.png").read_bytes()

    def full(self, path):
        path.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(Figure, "savefig", full)
    with pytest.raises(OSError, match="no space"):
        save_confusion(tmp_path / "c.png", Confusion(1, 2, 3, 4), "tumour", "all voxels")
    assert [path.name for path in tmp_path.iterdir()] == ["c.png"]
    assert (tmp_path / "c.png").read_bytes() == before
