import json
import re

import jsonschema
import numpy as np
import pytest

from liverjax.config_json import to_dict
from liverjax.errors import InputError
from liverjax.inference.postprocess import Postprocess
from liverjax.reporting.case_report import MENDED, NO_LIVER, UNKNOWN_SPACING, build_report, schema
from liverjax.volume import Geometry, Segmentation, Volume
from tests.conftest import ROOT

SHAPE = (6, 20, 24)
GRID = Geometry.from_axes((-20.0, 10.0, 100.0), (3.0, 0.5, 0.8))
UNKNOWN = Geometry.from_axes((0.0, 0.0, 0.0), None)
NETWORK = {
    "checkpoint": "0123456789abcdef",
    "step": 300,
    "commit": None,
    "recipe": "resized",
    "postprocess": to_dict(Postprocess()),
    "chosen_on": ["patient04"],
    "trained_on": {"dataset": "ircadb", "train": ["patient01"], "validation": ["patient04"]},
    "weights": {"version": "1", "sha256": "e" * 64},
}
SOURCE = {
    "cases": ["secret name"],
    "liverjax": {"version": "0.1.0", "commit": "ab" * 20 + "-dirty"},
    "liver": NETWORK,
    "tumor": NETWORK,
}
REPAIRS = ("dropped 2 slices that are there twice",)


def report(geometry=GRID, found=True, **options):
    labels = np.zeros(SHAPE, np.uint8)
    if found:
        labels[1:5, 2:18, 2:20] = 1
        labels[2:4, 5:9, 5:9] = 2
        labels[4, 15, 15] = 2
    volume = Volume(np.full(SHAPE, 40, np.int16), geometry)
    options = {"source": SOURCE, **options}
    return build_report(volume, Segmentation(labels, geometry), **options)


@pytest.mark.parametrize("geometry", [GRID, UNKNOWN])
@pytest.mark.parametrize("found", [True, False])
@pytest.mark.parametrize("source", [SOURCE, {"liverjax": {"version": None, "commit": None}}])
def test_report_is_as_its_schema_says(geometry, found, source):
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(
        report(geometry, found, source=source, repairs=REPAIRS),
        schema(),
        jsonschema.Draft202012Validator,
    )


def test_schema_refuses_what_it_does_not_name():
    for change in ({"patient": "x"}, {"schema_version": 1}, {"tumors": [{}]}, {"liver_ml": "1"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**report(), **change}, schema())


def test_report_is_plain_and_complete():
    found = report(repairs=REPAIRS)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert set(found) == set(schema()["properties"]) - {"made"}
    assert found["shape"] == [6, 20, 24]
    assert found["spacing_mm"] == pytest.approx([3.0, 0.5, 0.8])
    assert found["orientation"] == "SPL"
    assert found["messages"] == [MENDED]
    assert found["repairs"] == list(REPAIRS)
    assert [tumor["voxels"] for tumor in found["tumors"]] == [32, 1]
    assert found["source"] == {name: SOURCE[name] for name in ("liverjax", "liver", "tumor")}
    assert "Research use only" in found["notice"]


def test_report_names_no_case():
    assert "secret" not in json.dumps(report())


def test_orientation_is_of_the_array_as_stored():
    directions = np.array([[0, 0, -1], [-1, 0.1, 0], [0.1, 1, 0]])
    assert report(Geometry.from_axes((0, 0, 0), (2, 1, 1), directions))["orientation"] == "IRP"


def test_unknown_spacing_is_said():
    found = report(UNKNOWN)
    assert found["messages"] == [UNKNOWN_SPACING]
    assert (found["spacing_mm"], found["liver_ml"]) == (None, None)


def test_no_liver_is_said():
    found = report(found=False)
    assert found["messages"] == [NO_LIVER]
    assert (found["liver_voxels"], found["tumors"], found["tumor_burden"]) == (0, [], None)


def test_it_is_said_that_the_ct_was_mended():
    assert report()["messages"] == []
    assert report(UNKNOWN, repairs=REPAIRS)["messages"] == [UNKNOWN_SPACING, MENDED]
    assert "segmentation.nii.gz" in MENDED
    assert "segmentation.dcm" in MENDED


def test_another_grid_is_refused():
    volume = Volume(np.zeros(SHAPE, np.int16), GRID)
    with pytest.raises(InputError, match="CT and segmentation"):
        build_report(volume, Segmentation(np.zeros(SHAPE, np.uint8), UNKNOWN), source=SOURCE)


def schema_keys(part):
    """Every property name anywhere in a schema."""
    keys = set(part.get("properties", {}))
    for inner in [*part.get("properties", {}).values(), *part.get("$defs", {}).values()]:
        keys |= schema_keys(inner)
    return keys


def test_document_names_every_field_and_no_other():
    text = (ROOT / "docs" / "REPORT.md").read_text(encoding="utf-8")
    fields = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    keys = schema_keys(schema())
    assert {name for cell in fields for name in re.findall(r"`(\w+)`", cell)} <= keys
    assert keys <= set(re.findall(r"`(\w+)`", text))
