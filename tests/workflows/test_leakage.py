import dataclasses

import numpy as np
import pytest

from configs.leakage import get_config
from liverjax.datasets.copies import COPIES
from liverjax.datasets.phantom.patient import PhantomSpec
from liverjax.datasets.volumes import phantom_volumes
from liverjax.errors import ConfigError
from liverjax.reporting.leakage import protocol_table
from liverjax.reporting.markdown import markdown_table
from liverjax.workflows.leakage import (
    TEST_SHARE,
    Leakage,
    compare_protocols,
    dice_pairs,
    shuffled_slices,
)


@pytest.fixture(scope="module")
def collection():
    return phantom_volumes([1, 4, 5], PhantomSpec((12, 64, 64)))


def test_slices_and_copies_are_shuffled_over_all_patients(collection):
    patients = sorted(collection.summaries)
    train, test = shuffled_slices(collection, patients, seed=0)
    shown = np.concatenate([collection.read(p)[1].tumor.any(axis=(1, 2)) for p in patients])
    total = len(shown) + COPIES * np.count_nonzero(shown)
    assert len(test.slices) == round(TEST_SHARE * total)
    pairs = [
        set(zip(side.slices.tolist(), side.copies.tolist(), strict=True)) for side in (train, test)
    ]
    assert not pairs[0] & pairs[1]
    assert len(pairs[0] | pairs[1]) == total
    # That is the leak: nearly every slice with tumour that is tested on is trained on, turned.
    with_tumor = {number for number, _ in pairs[1] if shown[number]}
    assert with_tumor <= {number for number, _ in pairs[0]}


def test_a_stage_without_copies_is_refused(collection, tmp_path):
    config = get_config()
    config.tumor.augment = dataclasses.replace(config.tumor.augment, copies=False)
    with pytest.raises(ConfigError, match=r"config\.tumor\.augment\.copies: expected True"):
        compare_protocols(config, collection, tmp_path)
    assert not any(tmp_path.iterdir())


def test_the_table_says_over_how_many_patients_each_mean_is():
    rows = [Leakage("a", 0.9, 0.8, 0.8, 0.2), Leakage("b", 1.0, None, 0.9, None)]
    table = protocol_table([row.case for row in rows], dice_pairs(rows), ("x", "y"))
    lines = markdown_table(table).splitlines()
    assert lines[0].startswith("| patient | liver, x | liver, y | liver, difference | tumour, x |")
    assert lines[3] == "| b | 1.000 | 0.900 | 0.100 | - | - | - |"
    assert lines[4] == (
        "| mean (patients) | 0.950 (2) | 0.850 (2) | 0.100 (2) "
        "| 0.800 (1) | 0.200 (1) | 0.600 (1) |"
    )
