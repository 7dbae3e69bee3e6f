import json

import pytest

from liverjax.datasets.pairs.dataset_json import FILE_NAME, read_label_map
from liverjax.errors import InputError


def read(folder, **fields):
    (folder / FILE_NAME).write_text(json.dumps(fields))
    return read_label_map(folder)


@pytest.mark.parametrize("name", ["hepatic_tumor", "liver metastases", "HCC_tumor", "liver_mass"])
def test_what_may_be_a_tumour_of_the_liver_is_not_passed_over(tmp_path, name):
    with pytest.raises(InputError) as found:
        read(tmp_path, labels={"background": 0, "liver": 1, name: 2})
    assert str(tmp_path / FILE_NAME) in str(found.value)
    assert f"background: 0, liver: 1, {name}: 2" in str(found.value)
    assert "--label_map" in str(found.value)


def test_a_tumour_of_the_liver_by_name_decides(tmp_path):
    labels = {"background": 0, "liver": 1, "liver_tumor": 2, "lung_mass": 3}
    assert str(read(tmp_path, labels=labels)) == "liver=1+2,tumor=2"


def test_values_that_no_label_has_are_refused_by_file(tmp_path):
    with pytest.raises(InputError, match=r"dataset\.json: labels: label map: expected v"):
        read(tmp_path, labels={"liver": 0})
