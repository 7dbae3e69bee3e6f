import csv
import dataclasses

import pytest

from liverjax.errors import InputError
from liverjax.evaluation.tables import (
    COLUMNS,
    per_case_row,
    read_per_case,
    write_lesions,
    write_per_case,
)
from tests.evaluation.cases import case, labels, some_cases

HEADER = (
    "case,liver_dice,liver_voe,liver_rvd,liver_assd,liver_rmsd,liver_msd,liver_hd95,liver_nsd2,"
    "liver_volume_error_ml,liver_false_positive_ml,tumor_dice,tumor_voe,tumor_rvd,tumor_assd,"
    "tumor_rmsd,tumor_msd,tumor_hd95,tumor_nsd2,tumor_volume_error_ml,tumor_false_positive_ml"
)


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_figures_survive_in_full(tmp_path):
    cases = some_cases()
    write_per_case(tmp_path / "t.csv", cases)
    assert (tmp_path / "t.csv").read_text().splitlines()[0] == HEADER
    table = read_per_case(tmp_path / "t.csv")
    assert table.columns == COLUMNS
    assert table.rows == {each.case: per_case_row(each) for each in cases}


def test_undefined_cells_are_empty(tmp_path):
    write_per_case(tmp_path / "t.csv", some_cases())
    missed, free = rows(tmp_path / "t.csv")[1:3]
    assert (missed["tumor_dice"], missed["tumor_voe"]) == ("0.0", "1.0")
    assert missed["tumor_assd"] == missed["tumor_hd95"] == ""
    assert free["tumor_dice"] == free["tumor_nsd2"] == ""
    assert free["tumor_false_positive_ml"] == "0.0"


def test_names_of_all_kinds_survive(tmp_path):
    names = ['a, "b"', "c;d\ttab", "  Lebèr ", "line\nend"]
    cases = [dataclasses.replace(some_cases()[0], case=name) for name in names]
    write_per_case(tmp_path / "t.csv", cases)
    assert list(read_per_case(tmp_path / "t.csv").rows) == names


def test_a_column_says_what_was_seen_only_where_something_was(tmp_path):
    write_per_case(tmp_path / "t.csv", some_cases(), ["b", "z"])
    assert [row["seen"] for row in rows(tmp_path / "t.csv")] == ["no", "yes", "no", "no"]
    assert read_per_case(tmp_path / "t.csv").columns == COLUMNS
    write_per_case(tmp_path / "t.csv", some_cases(), ["z"])
    assert "seen" not in rows(tmp_path / "t.csv")[0]


def test_every_lesion_has_a_row(tmp_path):
    hardly = case("e", labels((0, 16), (5, 9)), labels((0, 16), (2, 6)))
    write_lesions(tmp_path / "l.csv", [*some_cases(), hardly])
    found = rows(tmp_path / "l.csv")
    assert [(row["case"], row["lesion"]) for row in found] == [
        *(("a", "1"), ("a", "2"), ("a", "3")),
        *(("b", "1"), ("d", "1"), ("e", "1")),
    ]
    assert [row["detected"] for row in found] == ["yes", "no", "no", "no", "no", "yes"]
    assert [row["detected_half"] for row in found] == ["yes", "no", "no", "no", "no", "no"]
    assert found[0]["reference_voxels"] == found[0]["shared_voxels"] == "8"
    assert float(found[0]["reference_ml"]) == pytest.approx(8 * 0.002)
    assert (found[2]["reference_voxels"], found[2]["reference_diameter_mm"]) == ("0", "")
    assert float(found[5]["iou"]) == pytest.approx(1 / 7)


def test_two_cases_of_one_name_are_refused(tmp_path):
    with pytest.raises(InputError, match="'a' twice"):
        write_per_case(tmp_path / "t.csv", [some_cases()[0]] * 2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found nothing"),
        ("patient,dice\na,1\n", "found patient, dice"),
        ("case,dice,dice\na,1,1\n", "different names"),
        ("case,dice\na,1,2\n", "row 2: expected 2 cells, found 3"),
        ("case,dice\na,high\n", "a, dice: expected a finite number or nothing, found 'high'"),
        ("case,dice\na,nan\n", "found 'nan'"),
        ("case,dice\na,1\na,1\n", "'a' twice"),
    ],
)
def test_no_table_of_cases_is_refused(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_per_case(tmp_path / "t.csv")
    assert "t.csv" in str(caught.value)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(InputError, match=r"t\.csv"):
        read_per_case(tmp_path / "t.csv")


def test_whom_networks_have_seen_comes_back(tmp_path):
    (tmp_path / "a.csv").write_text("\ufeffcase,liver_dice,seen\none,0.5,yes\ntwo,0.25,no\n")
    found = read_per_case(tmp_path / "a.csv")
    assert found.columns == ("liver_dice",)
    assert found.seen == ("one",)
