import dataclasses
from functools import partial

import pytest

from liverjax.reporting import drawing, scores
from tests.evaluation.cases import UNKNOWN, case, labels, some_cases


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draws with a function of `scores` and gives the axes of the figure."""

    def draw(save, cases):
        kept = []
        monkeypatch.setattr(drawing, "save_figure", lambda _, figure: kept.append(figure))
        save(tmp_path / "x.png", cases)
        kept[0].canvas.draw()
        return kept[0].axes

    return draw


def test_dice_of_every_case_with_mean_and_count(drawn):
    liver, tumor = drawn(scores.save_dice, some_cases())
    assert liver.get_title().startswith("liver: 4 cases, mean 0.9")
    assert tumor.get_title() == "tumour: 2 cases, mean 0.333; 2 without tumour (x)"
    points, missing, mean = tumor.lines
    assert list(points.get_xdata()) == [0, 1]
    assert list(points.get_ydata()) == pytest.approx([2 / 3, 0])
    assert list(missing.get_xdata()) == [2, 3]
    assert mean.get_ydata()[0] == pytest.approx(1 / 3)
    assert [label.get_text() for label in tumor.get_xticklabels()] == ["a", "b", "c", "d"]


def test_names_are_no_formulas_and_none_defined_is_drawn(drawn):
    cases = [dataclasses.replace(each, case=f"${each.case}^^$") for each in some_cases()[2:]]
    _, tumor = drawn(scores.save_dice, cases)
    assert tumor.get_title() == "tumour: 0 cases; 2 without tumour (x)"
    many = [dataclasses.replace(some_cases()[0], case=str(number)) for number in range(60)]
    assert "60 cases" in drawn(scores.save_dice, many)[1].get_xlabel()


def test_bland_altman_shows_bias_and_limits(drawn):
    # The fifth has no voxel size.
    cases = [*some_cases(), case("e", labels(), labels(), UNKNOWN)]
    liver, tumor = drawn(scores.save_bland_altman, cases)
    assert liver.get_title() == "liver: 4 of 5 cases"
    # Case c has no tumour on either side.
    assert tumor.get_title() == "tumour: 3 of 5 cases"
    points, *lines = tumor.lines
    differences = [0.0, -4 * 0.002, 6 * 0.002]
    assert list(points.get_ydata()) == pytest.approx(differences)
    assert list(points.get_xdata()) == pytest.approx([12 * 0.002, 2 * 0.002, 3 * 0.002])
    bias = sum(differences) / 3
    reach = 1.96 * (sum((each - bias) ** 2 for each in differences) / 2) ** 0.5
    assert [line.get_ydata()[0] for line in lines] == pytest.approx(
        [bias, bias + reach, bias - reach]
    )
    empty = drawn(scores.save_bland_altman, [some_cases()[2]])
    assert empty[1].get_title() == "tumour: 0 of 1 case"
    assert len(empty[0].lines) == 2


def test_lesions_found_by_diameter(drawn):
    small, other = some_cases()[0].lesions[:2]
    sized = [
        dataclasses.replace(lesion, reference_diameter_mm=size)
        for lesion, size in ((small, 9.9), (small, 10.0), (other, 19.9), (other, 20.0))
    ]
    false = some_cases()[3].lesions
    cases = [dataclasses.replace(some_cases()[0], lesions=(*sized, *false))]
    (axes,) = drawn(scores.save_detection, cases)
    assert axes.get_title() == "4 lesions of the reference, joined ones as one"
    assert [text.get_text() for text in axes.texts] == ["1/1", "1/2", "0/1"] * 2
    assert [bar.get_height() for bar in axes.patches] == [1.0, 0.5, 0.0] * 2


def test_lesions_of_unknown_size_stand_apart():
    unknown = case("e", labels(), labels((0, 16), (2, 6)), UNKNOWN)
    groups = scores.by_size([*unknown.lesions, some_cases()[0].lesions[0]])
    assert [len(members) for _, members in groups] == [1, 0, 0, 1]
    assert groups[-1][0] == "size unknown"
    groups = scores.by_size(unknown.lesions)
    assert [len(members) for _, members in groups] == [1, 0, 0]
    assert "voxels" in groups[0][0]


def test_a_notice_stands_above_every_picture(drawn):
    for save in (scores.save_dice, scores.save_bland_altman, scores.save_detection):
        axes = drawn(partial(save, notice="not held out: $b"), some_cases())
        assert axes[0].figure.get_suptitle() == r"not held out: \$b"


def test_pictures_are_written(tmp_path):
    for save in (scores.save_dice, scores.save_bland_altman, scores.save_detection):
        save(tmp_path / f"{save.__name__}.png", some_cases())
    assert len(list(tmp_path.glob("*.png"))) == 3
