"""By what scores were made: what a reader of the tables must be told."""

import pytest

from liverjax.reporting.provenance import network_table

LIVER = {
    "checkpoint": "a" * 64,
    "step": 3,
    "commit": "b" * 40 + "-dirty",
    "recipe": "window",
    "postprocess": {
        **{"threshold": 0.45, "flips": True, "min_voxels": 10, "min_ml": 0.0},
        **{"min_liver_ml": 15.0, "min_certain": 0.3},
    },
    "chosen_on": ["patient02"],
}
TUMOR = LIVER | {"chosen_on": [], "step": None}


def row_of(stage, network):
    table = network_table([{"cases": ["patient01"], stage: network}])
    (row,) = table.rows
    return dict(zip(table.header, row, strict=True))


def test_everything_that_decides_what_a_liver_is_is_told():
    row = row_of("liver", LIVER)
    assert row["threshold"] == "0.45"
    assert row["smallest liver"] == "15 mL"
    assert row["certain part of a small liver"] == "30% at least"
    assert row["smallest tumour"] == "-"
    assert row["mirrored slices"] == "yes"
    assert row["chosen on"] == "patient02"
    assert row["trained at commit"].endswith("-dirty")


def test_a_tumour_network_has_no_smallest_liver():
    row = row_of("tumor", TUMOR)
    assert row["smallest liver"] == row["certain part of a small liver"] == row["step"] == "-"
    assert row["smallest tumour"] == "10 voxels, 0 mL"
    assert row["chosen on"] == "nobody (defaults)"


@pytest.mark.parametrize("since", [("min_certain",), ("min_certain", "min_liver_ml")])
def test_an_evaluation_from_before_small_livers_were_doubted_can_be_read(since):
    before = {k: v for k, v in LIVER["postprocess"].items() if k not in since}
    row = row_of("liver", LIVER | {"postprocess": before})
    assert row["certain part of a small liver"] == "-"
    assert row["smallest liver"] == ("-" if "min_liver_ml" in since else "15 mL")


def test_nothing_is_chosen_for_the_recipe_of_the_thesis():
    row = row_of("liver", LIVER | {"recipe": "thesis"})
    assert row["threshold"] == "fixed"
    assert row["smallest liver"] == "-"
