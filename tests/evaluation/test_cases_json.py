import json

import pytest

from liverjax.errors import InputError
from liverjax.evaluation.cases_json import cases_from_json, cases_to_json
from tests.evaluation.cases import UNKNOWN, case, labels, some_cases


def test_nothing_is_lost():
    unknown = case("e", labels((0, 16), (5, 9)), labels((0, 16), (2, 6)), UNKNOWN)
    cases = [*some_cases(), unknown]
    text = json.dumps(cases_to_json(cases), allow_nan=False)
    assert cases_from_json(json.loads(text), "x.json") == cases


def change(data, path, value):
    for step in path[:-1]:
        data = data[step]
    if value is KeyError:
        del data[path[-1]]
    else:
        data[path[-1]] = value


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ((0, "liver", "dice"), "high", r"cases\[0\].liver.dice: expected a number or null"),
        ((0, "liver", "dice"), True, r"cases\[0\].liver.dice: expected a number or null"),
        ((1, "tumor", "confusion", "true_positive"), 1.5, "true_positive: expected a count"),
        ((1, "tumor", "confusion", "true_positive"), -1, "true_positive: expected a count"),
        ((1, "voxel_ml"), float("nan"), r"cases\[1\].voxel_ml: expected a number"),
        ((0, "case"), 5, r"cases\[0\].case: expected a text, found 5"),
        ((0, "lesions"), {}, r"cases\[0\].lesions: expected a list"),
        ((0, "lesions", 1, "shared_voxels"), None, r"lesions\[1\].shared_voxels"),
        ((0, "liver", "voe"), KeyError, r"cases\[0\].liver.voe: is missing"),
        ((0, "liver", "hausdorff"), 1.0, r"cases\[0\].liver.hausdorff: is not known"),
        ((2,), None, r"cases\[2\]: expected an object, found None"),
    ],
)
def test_damage_is_named(path, value, message):
    data = cases_to_json(some_cases())
    data = json.loads(json.dumps(data))
    change(data, path, value)
    with pytest.raises(InputError, match=message) as caught:
        cases_from_json(data, "x.json")
    assert str(caught.value).startswith("x.json: ")
