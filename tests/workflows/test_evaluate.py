import json

import pytest

from liverjax.config import DatasetConfig, Stage
from liverjax.errors import InputError, SplitError
from liverjax.evaluation.overlap import PatientScore
from liverjax.inference.load import load_network
from liverjax.workflows.evaluate import (
    check_held_out,
    check_same_dataset,
    evaluate,
    format_scores,
    mean,
    write_evaluation,
)

SCORES = [
    PatientScore("patient01", 0.9, 0.5, 1.0),
    PatientScore("patient02", 0.8, None, 3.0),
]


def test_patients_of_training_and_selection_are_not_scored(small_run):
    workdir, _ = small_run
    networks = [load_network(workdir / stage.value, stage) for stage in Stage]
    for patient in ("patient01", "patient06"):
        with pytest.raises(SplitError, match=f"{patient} is in both evaluation and"):
            evaluate(*networks, workdir / "data", [patient])
    (score,) = evaluate(*networks, workdir / "data", ["patient05"])
    assert score.patient == "patient05"


def test_a_patient_is_held_out_only_if_both_networks_hold_it_out():
    liver = DatasetConfig(train=("patient01",), test=("patient02",))
    tumor = DatasetConfig(train=("patient02",), test=("patient01",))
    with pytest.raises(SplitError, match="patient02 is in both evaluation and train"):
        check_held_out(("patient02",), (liver, tumor))
    with pytest.raises(SplitError, match="hold none back"):
        check_held_out((), (liver, tumor))
    check_held_out(("patient03",), (liver, tumor))


def test_means_say_over_how_many_cases_they_are():
    assert mean([0.5, None, 1.0]) == (0.75, 2)
    assert mean([None]) == (None, 0)
    table = format_scores(SCORES).splitlines()
    assert table[-2].split() == ["mean", "0.850", "0.500", "2.00"]
    assert table[-1].split() == ["over", "cases", "2", "1", "2"]
    assert table[2].split() == ["patient02", "0.800", "-", "3.00"]


def test_undefined_scores_are_null(tmp_path):
    write_evaluation(tmp_path, SCORES)
    entries = json.loads((tmp_path / "evaluation.json").read_text())["patients"]
    assert entries[1] == {
        "patient": "patient02",
        "liver_dice": 0.8,
        "tumor_dice": None,
        "tumor_false_positive_ml": 3.0,
    }


def test_networks_are_judged_on_the_dataset_they_were_divided_on(small_run):
    workdir, _ = small_run
    networks = [load_network(workdir / stage.value, stage) for stage in Stage]
    check_same_dataset(networks, networks[0].manifest["dataset"]["fingerprint"])
    with pytest.raises(InputError, match="liver network was trained on a dataset of fingerprint"):
        check_same_dataset(networks, "0" * 64)
