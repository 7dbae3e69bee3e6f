import dataclasses
import json
import logging
import shutil

import numpy as np
import pytest

from liverjax.choices import Stage
from liverjax.config import DatasetConfig
from liverjax.errors import InputError, SplitError
from liverjax.evaluation.confusion import Confusion, pool
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
from liverjax.workflows.figures import evaluate_and_draw

LIVER = Confusion(true_negative=70, false_positive=2, false_negative=8, true_positive=20)
TUMOR = Confusion(true_negative=97, false_positive=3, false_negative=0, true_positive=0)
SCORES = [
    PatientScore("patient01", 0.9, 0.5, 1.0, LIVER, LIVER),
    PatientScore("patient02", 0.8, None, 3.0, LIVER, TUMOR),
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
    check_held_out(("patient03",), (liver, tumor))


def test_nobody_to_score_tells_whom_each_network_holds_back(small_run):
    workdir, _ = small_run
    liver, tumor = (load_network(workdir / stage.value, stage) for stage in Stage)
    other = dataclasses.replace(tumor.config, dataset=DatasetConfig(test=("patient06",)))
    with pytest.raises(
        SplitError, match="liver network patient04, patient05 and the tumor network patient06"
    ):
        evaluate(liver, tumor._replace(config=other), workdir / "data")


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
        "liver_confusion": {
            "true_negative": 70,
            "false_positive": 2,
            "false_negative": 8,
            "true_positive": 20,
        },
        "tumor_confusion": {
            "true_negative": 97,
            "false_positive": 3,
            "false_negative": 0,
            "true_positive": 0,
        },
    }


def test_networks_are_judged_on_the_dataset_they_were_divided_on(small_run):
    workdir, _ = small_run
    networks = [load_network(workdir / stage.value, stage) for stage in Stage]
    check_same_dataset(networks, networks[0].manifest["dataset"]["fingerprint"])
    with pytest.raises(InputError, match="liver network was trained on a dataset of fingerprint"):
        check_same_dataset(networks, "0" * 64)


FIGURES = {
    "confusion_liver.png",
    "confusion_tumor.png",
    "panels_patient04.png",
    "panels_patient05.png",
    "training_liver.png",
    "training_tumor.png",
}


def loaded(workdir):
    """Both networks of the small run, and where they lie."""
    runs = {stage: workdir / stage.value for stage in Stage}
    return {stage: load_network(run, stage) for stage, run in runs.items()}, runs


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_each_case_is_shown_once_scored(small_run):
    workdir, result = small_run
    networks, _ = loaded(workdir)
    cases = []
    scores = evaluate(*networks.values(), workdir / "data", on_case=cases.append)
    assert scores == result.scores
    assert [case.patient for case in cases] == [score.patient for score in scores]
    for case, score in zip(cases, scores, strict=True):
        for mask, found in (("liver", score.liver_confusion), ("tumor", score.tumor_confusion)):
            predicted, true = getattr(case.prediction, mask), getattr(case.reference, mask)
            # Every voxel of the volume, not those of the liver alone.
            assert sum(vars(found).values()) == case.volume.hu.size
            assert found.true_positive == np.count_nonzero(predicted & true)
            assert found.false_positive == np.count_nonzero(predicted & ~true)
    assert scores[0].tumor_dice == scores[0].tumor_confusion.dice
    assert pool(score.tumor_confusion for score in scores[1:]).dice is None


def test_quickstart_leaves_the_figures(small_run):
    workdir, _ = small_run
    assert names(workdir / "figures") == FIGURES


def test_a_run_without_metrics_has_no_curves_and_the_log_says_so(small_run, tmp_path, caplog):
    workdir, _ = small_run
    networks, runs = loaded(workdir)
    bare = shutil.copytree(runs[Stage.TUMOR], tmp_path / "tumor")
    (bare / "metrics.jsonl").unlink()
    output = tmp_path / "out"
    (output / "figures").mkdir(parents=True)
    for name in ("training_tumor.png", "panels_patient04.png", "mine.png"):
        (output / "figures" / name).write_text("of an earlier time")
    with caplog.at_level(logging.INFO, "liverjax"):
        evaluate_and_draw(
            networks, runs | {Stage.TUMOR: bare}, workdir / "data", output, ["patient05"]
        )
    (said,) = [text for text in caplog.messages if "metrics" in text]
    assert str(bare) in said
    assert "training_tumor.png" in said
    # What an earlier evaluation drew is gone, another file is not.
    assert names(output / "figures") == {
        "confusion_liver.png",
        "confusion_tumor.png",
        "mine.png",
        "panels_patient05.png",
        "training_liver.png",
    }
    entries = json.loads((output / "evaluation.json").read_text())["patients"]
    assert [entry["patient"] for entry in entries] == ["patient05"]


def test_an_evaluation_that_fails_leaves_the_earlier_one(small_run, tmp_path, monkeypatch):
    workdir, _ = small_run
    networks, runs = loaded(workdir)
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "panels_patient01.png").write_text("earlier")
    (tmp_path / "evaluation.json").write_text("earlier")

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr("liverjax.workflows.figures.save_curves", full)
    with pytest.raises(OSError, match="no space left"):
        evaluate_and_draw(networks, runs, workdir / "data", tmp_path, ["patient05"])
    assert names(tmp_path) == {"evaluation.json", "figures"}
    assert names(tmp_path / "figures") == {"panels_patient01.png"}
    assert (tmp_path / "evaluation.json").read_text() == "earlier"
