import json
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

from liverjax.errors import InputError
from liverjax.evaluation.aggregate import aggregate
from liverjax.evaluation.tables import per_case_row, read_per_case
from liverjax.workflows.report import Evaluation, read_evaluation, write_report
from tests.evaluation.cases import UNKNOWN, case, labels, some_cases

FILES = {
    *("evaluation.json", "per_case.csv", "lesions.csv", "aggregate.json", "table.md"),
    "sources.json",
    *("index.html", "figures"),
}
DRAWN = {
    *("dice.png", "bland_altman.png", "detection.png", "confusion_liver.png"),
    "confusion_tumor.png",
}


def names(folder):
    return {path.name for path in folder.iterdir()}


def links(page):
    found = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.extend(value for name, value in attrs if name in ("href", "src"))

    Parser().feed(page.read_text())
    return [unquote(link) for link in found]


def test_everything_is_written_and_says_the_same(tmp_path):
    picture = tmp_path / "panels_a & #1.png"
    picture.write_bytes(b"picture")
    folder = tmp_path / "new" / "report"
    cases = some_cases()
    write_report(folder, Evaluation(cases), [picture])
    assert names(folder) == FILES
    assert names(folder / "figures") == DRAWN | {picture.name}
    assert picture.exists()
    assert read_evaluation(folder).cases == cases
    assert read_per_case(folder / "per_case.csv").rows == {c.case: per_case_row(c) for c in cases}
    found = json.loads((folder / "aggregate.json").read_text())
    assert found == json.loads(json.dumps(aggregate(cases)))
    assert f"{found['tumor']['dice']['mean']:.3f}" in (folder / "table.md").read_text()
    shown = links(folder / "index.html")
    assert f"figures/{picture.name}" in shown
    assert {*FILES} - {*shown} == {"figures", "index.html"}
    assert [link for link in shown if not (folder / link).is_file()] == []


def test_seen_cases_are_told_of_everywhere(tmp_path):
    write_report(tmp_path, Evaluation(some_cases(), ["b"]))
    assert "not held-out figures" in (tmp_path / "index.html").read_text()
    assert "not held-out figures" in (tmp_path / "table.md").read_text()
    assert (tmp_path / "per_case.csv").read_text().splitlines()[2].endswith(",yes")
    for name in ("aggregate.json", "evaluation.json"):
        assert json.loads((tmp_path / name).read_text())["seen"] == ["b"]
    rows = [line.split(",") for line in (tmp_path / "lesions.csv").read_text().splitlines()]
    assert rows[0][-1] == "seen"
    assert {row[0] for row in rows if row[-1] == "yes"} == {"b"}
    assert read_evaluation(tmp_path).cases == some_cases()


SOURCE = {
    "cases": ["a", "b", "c", "d"],
    "liverjax": {"version": "1.2.3", "commit": "0123456789abcdef-dirty"},
    "dataset": {"name": "ircadb", "fingerprint": "f" * 64},
    "tumor": {
        "checkpoint": "e" * 64,
        "step": 70,
        "commit": "d" * 40,
        "recipe": "window",
        "postprocess": {"threshold": 0.45, "min_voxels": 10, "min_ml": 0.5, "flips": True},
        "chosen_on": ["x", "y"],
    },
}


def test_how_scores_came_about_is_told(tmp_path):
    write_report(tmp_path, Evaluation(some_cases(), (), [SOURCE]))
    assert read_evaluation(tmp_path).sources == [SOURCE]
    for name in ("index.html", "table.md"):
        text = (tmp_path / name).read_text()
        for told in (
            *("1.2.3", "0123456789ab-dirty", "ircadb", "f" * 12, "e" * 12, "d" * 12, "70"),
            *("0.45", "10 voxels, 0.5 mL", "x, y"),
        ):
            assert told in text
    for text, field in (
        ('[{"cases": []}]', r"\[0\]\.liverjax"),
        ('[{"cases": [], "liverjax": null}]', r"\[0\]\.liverjax\.version"),
        (json.dumps([SOURCE | {"tumor": {}}]), r"\[0\]\.tumor\.checkpoint"),
    ):
        (tmp_path / "sources.json").write_text(text)
        with pytest.raises(InputError, match=rf"sources\.json: {field}: missing"):
            read_evaluation(tmp_path)
    (tmp_path / "sources.json").unlink()
    with pytest.raises(InputError, match=r"sources\.json: missing; delete evaluation\.json"):
        read_evaluation(tmp_path)


def test_what_is_undefined_or_counted_as_one_is_explained(tmp_path):
    two_in_one = case("e", labels((0, 16), (2, 9)), labels((0, 16), (2, 4), (6, 8)))
    unknown = case("f", labels(), labels(), UNKNOWN)
    write_report(tmp_path, Evaluation([*some_cases(), two_in_one, unknown]))
    text = (tmp_path / "index.html").read_text()
    for told in (
        "voxel size is not known of f,",
        "The reference has no tumours in c, d, f.",
        "Nothing is predicted of the tumours in b:",
        "join some of the 5 lesions of the reference, so that they count as 4",
        "With 6 cases the intervals are a rough guide",
        "positive where too much is predicted",
    ):
        assert told in text


def test_an_earlier_report_is_replaced_and_other_files_are_not(tmp_path):
    picture = tmp_path / "panels_old.png"
    picture.write_bytes(b"picture")
    folder = tmp_path / "report"
    write_report(folder, Evaluation(some_cases()), [picture])
    (folder / "figures" / "mine.png").write_text("mine")
    # Without a voxel size and a lesion there is less to draw.
    write_report(folder, Evaluation([case("c", labels(), labels(), UNKNOWN)]))
    assert names(folder) == FILES
    assert names(folder / "figures") == {
        *("mine.png", "dice.png", "confusion_liver.png", "confusion_tumor.png")
    }
    assert [each.case for each in read_evaluation(folder).cases] == ["c"]


def test_what_fails_leaves_the_earlier_report(tmp_path, monkeypatch):
    write_report(tmp_path, Evaluation(some_cases()))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr("liverjax.workflows.report.html_report", full)
    with pytest.raises(OSError, match="no space left"):
        write_report(tmp_path, Evaluation(some_cases()[:2]))
    for wrong in ([], some_cases()[:1] * 2):
        with pytest.raises(InputError):
            write_report(tmp_path, Evaluation(wrong))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert names(tmp_path) == FILES


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cases": [{"case": "a"}]}'])
def test_a_damaged_evaluation_is_named(tmp_path, text):
    (tmp_path / "evaluation.json").write_text(text)
    with pytest.raises(InputError, match=r"evaluation\.json"):
        read_evaluation(tmp_path)
    with pytest.raises(InputError, match=r"evaluation\.json: no evaluation"):
        read_evaluation(tmp_path / "elsewhere")
