import dataclasses
import json
import logging
import shutil

import numpy as np
import pytest

from liverjax.choices import Stage
from liverjax.config import DatasetConfig
from liverjax.errors import InputError, SplitError
from liverjax.evaluation.confusion import pool
from liverjax.inference.load import load_network
from liverjax.workflows.evaluate import evaluate
from liverjax.workflows.figures import evaluate_and_draw
from liverjax.workflows.leaks import check_same_dataset
from liverjax.workflows.prepared import open_prepared
from liverjax.workflows.report import read_evaluation


def loaded(workdir):
    """Both networks of the small run, and the dataset that they were trained on."""
    networks = {stage: load_network(workdir / stage.value, stage) for stage in Stage}
    return networks, open_prepared("ircadb", workdir / "data")


def with_sides(network, **sides):
    """The network as if it had been trained on other patients."""
    config = dataclasses.replace(network.config, dataset=DatasetConfig("ircadb", **sides))
    return network._replace(config=config)


def test_patients_of_training_and_selection_are_not_scored(small_run):
    networks, collection = loaded(small_run[0])
    for patient, how in (("patient01", "trained"), ("patient06", "selected")):
        with pytest.raises(SplitError, match=f"{patient}: the liver network was {how} on it"):
            evaluate(networks, collection, [patient])
    found = evaluate(networks, collection, ["patient05"])
    assert [case.case for case in found.cases] == ["patient05"]
    assert found.seen == ()


def test_a_patient_is_held_out_only_if_both_networks_hold_it_out(small_run):
    networks, collection = loaded(small_run[0])
    other = with_sides(networks[Stage.TUMOR], train=("patient05",), test=("patient04",))
    with pytest.raises(SplitError, match="patient05: the tumor network was trained on it"):
        evaluate(networks | {Stage.TUMOR: other}, collection, ["patient05"])


def test_seen_patients_are_scored_on_demand_and_the_report_says_so(small_run, tmp_path):
    networks, collection = loaded(small_run[0])
    patients = ["patient01", "patient05"]
    evaluate_and_draw(networks, collection, tmp_path, patients, allow_seen=True)
    assert json.loads((tmp_path / "aggregate.json").read_text())["seen"] == ["patient01"]
    assert "not held-out figures" in (tmp_path / "index.html").read_text()


def test_nobody_to_score_tells_whom_each_network_holds_back(small_run):
    networks, collection = loaded(small_run[0])
    other = with_sides(networks[Stage.TUMOR], test=("patient06",))
    with pytest.raises(
        SplitError,
        match=r"liver network patient04, patient05 of ircadb and the tumor network patient06",
    ):
        evaluate(networks | {Stage.TUMOR: other}, collection)


def test_networks_are_judged_on_the_dataset_they_were_divided_on(small_run):
    networks, collection = loaded(small_run[0])
    check_same_dataset(list(networks.values()), collection)
    collection.fingerprint = "0" * 64
    with pytest.raises(InputError, match="liver network was trained on a dataset of fingerprint"):
        evaluate(networks, collection)


FIGURES = {
    "bland_altman.png",
    "confusion_liver.png",
    "confusion_tumor.png",
    "detection.png",
    "dice.png",
    "panels_patient04.png",
    "panels_patient05.png",
    "training_liver.png",
    "training_tumor.png",
}


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_each_case_is_shown_once_scored(small_run):
    workdir, result = small_run
    networks, collection = loaded(workdir)
    cases = []
    scores = evaluate(networks, collection, on_case=cases.append).cases
    assert scores == result.scores
    assert [case.patient for case in cases] == [score.case for score in scores]
    for case, score in zip(cases, scores, strict=True):
        for mask in ("liver", "tumor"):
            found = getattr(score, mask).confusion
            predicted, true = getattr(case.prediction, mask), getattr(case.reference, mask)
            # Every voxel of the volume, not those of the liver alone.
            assert sum(vars(found).values()) == case.volume.hu.size
            assert found.true_positive == np.count_nonzero(predicted & true)
            assert found.false_positive == np.count_nonzero(predicted & ~true)
    assert scores[0].tumor.dice == scores[0].tumor.confusion.dice
    assert pool(score.tumor.confusion for score in scores[1:]).dice is None


def test_quickstart_leaves_the_figures(small_run):
    workdir, _ = small_run
    assert names(workdir / "figures") == FIGURES


def test_a_run_without_metrics_has_no_curves_and_the_log_says_so(small_run, tmp_path, caplog):
    workdir, _ = small_run
    networks, collection = loaded(workdir)
    bare = shutil.copytree(workdir / "tumor", tmp_path / "tumor")
    (bare / "metrics.jsonl").unlink()
    output = tmp_path / "out"
    (output / "figures").mkdir(parents=True)
    for name in ("training_tumor.png", "panels_patient04.png", "mine.png"):
        (output / "figures" / name).write_text("of an earlier time")
    with caplog.at_level(logging.INFO, "liverjax"):
        bare_network = networks[Stage.TUMOR]._replace(run=bare)
        evaluate_and_draw(networks | {Stage.TUMOR: bare_network}, collection, output, ["patient05"])
    (said,) = [text for text in caplog.messages if "metrics" in text]
    assert str(bare) in said
    assert "training_tumor.png" in said
    # What an earlier evaluation drew is gone, another file is not.
    assert names(output / "figures") == {
        "bland_altman.png",
        "confusion_liver.png",
        "confusion_tumor.png",
        "dice.png",
        "mine.png",
        "panels_patient05.png",
        "training_liver.png",
    }
    assert [case.case for case in read_evaluation(output).cases] == ["patient05"]


def test_an_evaluation_that_fails_leaves_the_earlier_one(small_run, tmp_path, monkeypatch):
    workdir, _ = small_run
    networks, collection = loaded(workdir)
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "panels_patient01.png").write_text("earlier")
    (tmp_path / "evaluation.json").write_text("earlier")

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr("liverjax.workflows.figures.save_curves", full)
    with pytest.raises(OSError, match="no space left"):
        evaluate_and_draw(networks, collection, tmp_path, ["patient05"])
    assert names(tmp_path) == {"evaluation.json", "figures"}
    assert names(tmp_path / "figures") == {"panels_patient01.png"}
    assert (tmp_path / "evaluation.json").read_text() == "earlier"
