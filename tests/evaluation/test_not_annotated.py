"""Cases whose tumours were not annotated are in no figure of tumours."""

import json

import pytest

from liverjax.evaluation.aggregate import aggregate
from liverjax.evaluation.cases_json import cases_from_json, cases_to_json
from liverjax.evaluation.score import score_case
from liverjax.evaluation.tables import COLUMNS, per_case_row
from liverjax.reporting.score_notes import score_notes
from liverjax.reporting.score_tables import score_tables, short_table
from liverjax.reporting.scores import save_bland_altman, save_dice
from liverjax.reporting.table import plain_text
from liverjax.volume import Segmentation
from tests.evaluation.cases import GRID, labels, some_cases


@pytest.fixture
def unknown():
    """A tumour is predicted where the reference knows of the liver alone."""
    prediction = Segmentation(labels((0, 14), (3, 6)), GRID)
    reference = Segmentation(labels((0, 16)), GRID)
    return score_case("e", prediction, reference, tumors_known=False)


def test_a_case_has_no_tumour_figure_and_comes_back_so(unknown):
    assert (unknown.tumor, unknown.lesions) == (None, ())
    assert (unknown.burden, unknown.predicted_burden) == (None, None)
    row = dict(zip(COLUMNS, per_case_row(unknown), strict=True))
    assert {name for name, cell in row.items() if cell is not None} == {
        name for name in COLUMNS if name.startswith("liver_")
    }
    text = json.dumps(cases_to_json([unknown]))
    assert cases_from_json(json.loads(text), "file") == [unknown]


def test_figures_of_tumours_are_those_without_it(unknown):
    cases = some_cases()
    found, without = (aggregate(each, resamples=50) for each in ([*cases, unknown], cases))
    assert (found["cases"], found["liver"]["annotated"], found["tumor"]["annotated"]) == (5, 5, 4)
    for name in ("reference_lesions", "lesions", "tumor_free"):
        assert found[name] == without[name]
    for name, entry in without["tumor"].items():
        if isinstance(entry, dict) and "undefined" in entry:
            # It is not left out unseen.
            expected = entry | {"undefined": entry["undefined"] + 1}
            assert found["tumor"][name] == expected
        else:
            assert found["tumor"][name] == entry
    assert found["tumor_burden"]["undefined"] == without["tumor_burden"]["undefined"] + 1
    alone = aggregate([unknown], resamples=50)
    assert alone["tumor"]["dice_global"]["value"] is None
    assert alone["tumor_free"]["cases"] == alone["tumor"]["present"] == 0


def test_reports_say_so(unknown, tmp_path):
    cases = [*some_cases(), unknown]
    summary = aggregate(cases, resamples=50)
    notes = score_notes(cases, summary)
    assert any(note.startswith("The tumours were not annotated in e:") for note in notes)
    assert "The reference has no tumours in c, d." in notes
    line = plain_text(short_table(cases)).splitlines()[5]
    assert line.split()[2:] == ["-", "-"]
    tumors = next(table for table in score_tables(cases, summary) if table.title == "Tumours")
    assert set(tumors.rows[4][1:]) == {"-"}
    for save in (save_dice, save_bland_altman):
        save(tmp_path / "a.png", cases)
