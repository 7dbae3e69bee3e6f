import numpy as np
import pytest

from liverjax.datasets.pairs.label_map import LabelMap, parse_label_map
from liverjax.errors import InputError


def test_the_liver_includes_its_tumours_and_all_else_is_background():
    values = np.array([0, 1, 2, 3, 7, -1, 300])
    both = LabelMap((1,), (2, 300))
    assert both.apply(values).tolist() == [0, 1, 2, 0, 0, 0, 2]
    alone = LabelMap((2, 7))
    assert alone.apply(values).tolist() == [0, 0, 1, 0, 1, 0, 0]
    assert (both.tumors_known, alone.tumors_known) == (True, False)


@pytest.mark.parametrize(
    ("text", "liver", "tumor"),
    [
        ("liver=1+2,tumor=2", (1, 2), (2,)),
        ("tumour=2, liver=1", (1,), (2,)),
        ("liver=6", (6,), None),
        ("liver=6,tumor=none", (6,), None),
    ],
)
def test_maps_are_given_as_texts_and_say_alike_what_means_the_same(text, liver, tumor):
    found = parse_label_map(text)
    assert found == LabelMap(liver, tumor)
    assert str(parse_label_map(str(found))) == str(found)
    assert str(LabelMap((1,), (2,))) == str(LabelMap((2, 1), (2,))) == "liver=1+2,tumor=2"


@pytest.mark.parametrize(
    "text",
    *[["", "liver", "liver=", "tumor=2", "liver=none", "liver=1.5", "liver=-1", "spleen=1"]],
)
def test_other_texts_are_refused(text):
    with pytest.raises(InputError, match=r"label map: expected e\.g\. liver=1\+2,tumor=2"):
        parse_label_map(text)


def test_values_that_no_label_has_are_refused():
    for text, found in (("liver=0", "0"), ("liver=1,tumor=70000", "70000")):
        with pytest.raises(InputError, match=f"values from 1 to 32767, found the value {found}"):
            parse_label_map(text)
    with pytest.raises(InputError, match=r"liver that is no tumour, found liver=1,tumor=1"):
        parse_label_map("liver=1,tumor=1")
    with pytest.raises(InputError, match="found no value"):
        LabelMap(())
