"""The page of a case, as a file."""

import re

import pytest

from liverjax.errors import InputError
from liverjax.reporting.case_page import save_report_page
from liverjax.reporting.case_report import build_report
from liverjax.volume import Segmentation, Volume
from tests.reporting.pages import GRID, NETWORK, SOURCE, UNKNOWN, make_hu, make_labels, save


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return save(tmp_path_factory.mktemp("page") / "report.html")


@pytest.mark.parametrize(
    ("burden", "expected"),
    [
        *((None, "-"), (0.0, "0.0 %"), (0.00047, "0.047 %"), (0.0000123, "0.0012 %")),
        *((0.0056, "0.56 %"), (0.056, "5.6 %"), (0.123, "12.3 %"), (1.0, "100.0 %")),
    ],
)
def test_burden_has_two_significant_digits(tmp_path, burden, expected):
    text = save(tmp_path / "report.html", tumor_burden=burden).read_text(encoding="utf-8")
    assert f"<td>tumour burden</td><td>{expected}</td>" in text


def test_texts_are_escaped(tmp_path):
    bad = '<script>alert(1)</script> & "quoted"'
    changes = {"messages": [bad], "repairs": [bad], "notice": bad}
    text = save(tmp_path / "report.html", **changes).read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt; &amp;") == 3


def test_equal_input_gives_equal_bytes_and_nothing_beside(tmp_path, file):
    path = save(tmp_path / "report.html")
    assert path.read_bytes() == file.read_bytes()
    assert list(tmp_path.iterdir()) == [path]


def test_the_page_tells_the_smallest_liver_and_whose_weights(tmp_path):
    text = save(tmp_path / "report.html").read_text(encoding="utf-8")
    rows = dict(re.findall(r"<tr><td>([\w ]+)</td>(.*?)</tr>", text))
    assert rows["smallest liver"] == "<td>20 mL</td><td>-</td>"
    assert rows["weights"] == "<td>version 1.2</td><td>of a training run</td>"


def test_networks_of_the_thesis_have_fixed_settings(tmp_path):
    source = {**SOURCE, "liver": {**NETWORK, "recipe": "thesis", "step": None}}
    text = save(tmp_path / "report.html", source=source).read_text(encoding="utf-8")
    rows = dict(re.findall(r"<tr><td>([\w ]+)</td>(.*?)</tr>", text))
    assert rows["threshold"] == "<td>fixed</td><td>0.5</td>"
    assert rows["smallest tumour"] == "<td>-</td><td>10 voxels, 0 mL</td>"
    assert rows["smallest liver"] == "<td>-</td><td>-</td>"
    assert rows["step"] == "<td>-</td><td>300</td>"


def test_nothing_is_written_of_another_grid(tmp_path):
    volume = Volume(make_hu(), GRID)
    report = build_report(volume, Segmentation(make_labels(), GRID), source=SOURCE)
    with pytest.raises(InputError, match="CT and segmentation"):
        save_report_page(
            tmp_path / "report.html", report, volume, Segmentation(make_labels(), UNKNOWN)
        )
    assert list(tmp_path.iterdir()) == []
