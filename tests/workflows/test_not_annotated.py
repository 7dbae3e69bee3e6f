"""A cross-validation among whose patients are some whose tumours were not annotated."""

import csv
import dataclasses
import json

import numpy as np
import pytest

from configs import quickstart_cross_validation
from liverjax.augment_config import AugmentConfig
from liverjax.choices import Protocol, Stage
from liverjax.config import DatasetConfig
from liverjax.datasets.collection import VolumeCollection
from liverjax.datasets.phantom.patient import PhantomSpec
from liverjax.datasets.volumes import phantom_volumes
from liverjax.errors import ConfigError, SplitError
from liverjax.inference.calibration import read_calibration
from liverjax.volume import Segmentation
from liverjax.workflows import train_cascade as train_cascade_module
from liverjax.workflows.cross_validate import cross_validate, make_folds
from liverjax.workflows.leakage import compare_protocols
from liverjax.workflows.train import train
from liverjax.workflows.train_cascade import train_cascade
from tests.toy import NOT_AUGMENTED

UNKNOWN = {"patient06", "patient07", "patient08"}


@pytest.fixture(scope="module")
def collection():
    """Eight phantoms, of three of which the liver alone is known."""
    phantoms = phantom_volumes(range(1, 9), PhantomSpec((12, 64, 64)))
    volumes = {name: phantoms.read(name) for name in phantoms.summaries}
    for name in UNKNOWN:
        volume, reference = volumes[name]
        labels = np.minimum(reference.labels, 1).astype(np.uint8)
        volumes[name] = (volume, Segmentation(labels, reference.geometry))
    return VolumeCollection("lits", volumes, UNKNOWN)


def protocol():
    config = quickstart_cross_validation.get_config()

    def tiny(stage):
        return dataclasses.replace(
            stage,
            epochs=1,
            batch_size=8,
            all_slices=True,
            dataset=DatasetConfig("lits"),
            augment=AugmentConfig(**NOT_AUGMENTED),
            preprocess=dataclasses.replace(stage.preprocess, size=32),
            model=dataclasses.replace(stage.model, features=(4, 8)),
        )

    return dataclasses.replace(
        config, liver=tiny(config.liver), tumor=tiny(config.tumor), folds=2, validation=2
    )


FOLD = {
    "train": ["patient01", "patient06"],
    "validation": ["patient02", "patient07"],
    "test": ["patient03", "patient05", "patient08"],
}


@pytest.fixture(scope="module")
def whole(collection, tmp_path_factory):
    """A single fold with such a patient on every side."""
    workdir = tmp_path_factory.mktemp("cross-validation")
    (workdir / "splits.json").write_text(json.dumps([FOLD]))
    config = dataclasses.replace(
        protocol(), protocol=Protocol.FILE, splits=str(workdir / "splits.json"), inner_folds=2
    )
    return workdir, cross_validate(config, collection, workdir)


def test_they_are_for_the_liver_networks_alone(whole):
    folder = whole[0] / "fold0"
    sides = {
        run: json.loads((folder / run / "manifest.json").read_text())["patients"]
        for run in ("liver", "tumor")
    }
    for side in ("train", "validation"):
        assert sides["liver"][side] == FOLD[side]
        assert sides["tumor"][side] == FOLD[side][:1]
    # Of the inner networks, only that is needed which has not seen patient01.
    (inner,) = folder.glob("inner*/manifest.json")
    assert json.loads(inner.read_text())["patients"]["train"] == ["patient06"]
    assert {path.stem for path in (folder / "livers").iterdir()} == {"patient01", "patient02"}
    chosen = {stage: read_calibration(folder / stage.value).patients for stage in Stage}
    assert chosen == {Stage.LIVER: ("patient02", "patient07"), Stage.TUMOR: ("patient02",)}


def test_nothing_is_said_of_their_tumours(whole):
    workdir, cases = whole
    assert {case.case for case in cases if case.tumor is None} == {"patient08"}
    with (workdir / "per_case.csv").open(newline="") as file:
        rows = {row["case"]: row for row in csv.DictReader(file)}
    assert sorted(rows) == FOLD["test"]
    for name, row in rows.items():
        empty = {column for column, cell in row.items() if cell == ""}
        tumor = {column for column in row if column.startswith("tumor_")}
        assert row["liver_dice"] != ""
        assert (tumor <= empty) is (name in UNKNOWN)
    with (workdir / "lesions.csv").open(newline="") as file:
        assert not {row["case"] for row in csv.DictReader(file)} & UNKNOWN
    summary = json.loads((workdir / "aggregate.json").read_text())
    assert (summary["liver"]["annotated"], summary["tumor"]["annotated"]) == (3, 2)
    assert summary["tumor_free"]["cases"] == 1  # patient05
    challenge = summary["tumor"]["dice_challenge"]
    assert (challenge["cases"], challenge["undefined"]) == (2, 1)
    page = (workdir / "index.html").read_text()
    assert "tumours were not annotated in patient08" in page


def test_the_tumour_network_may_be_trained_within_the_livers_of_the_reference(
    collection, tmp_path, monkeypatch
):
    given = {}

    def note(config, collection, run, livers=None):
        given[run.name] = livers

    monkeypatch.setattr(train_cascade_module, "train", note)
    everybody = ("patient01", "patient02", "patient06")
    config = dataclasses.replace(protocol(), patients=everybody, inner_folds=0)
    train_cascade(config, collection, tmp_path)
    assert given["liver"] is None
    assert set(given) == {"liver", "tumor"}
    assert set(given["tumor"]) == {"patient01", "patient02"}
    for name, liver in given["tumor"].items():
        np.testing.assert_array_equal(liver, collection.read(name)[1].liver)


def test_a_cascade_for_use_is_trained_on_everybody(collection, tmp_path):
    everybody = ("patient01", "patient02", "patient03", "patient06")
    config = dataclasses.replace(protocol(), patients=everybody, inner_folds=2)
    runs = train_cascade(config, collection, tmp_path)
    sides = {
        run.name: json.loads((run / "manifest.json").read_text())["patients"]
        for run in (*runs.values(), *tmp_path.glob("inner*"))
    }
    assert sides["liver"]["train"] == [*everybody]
    assert sides["tumor"]["train"] == ["patient01", "patient02", "patient03"]
    assert not any(part["validation"] or part["test"] for part in (sides["liver"], sides["tumor"]))
    # Every liver is of a network that had not seen it.
    inner = [set(part["train"]) for run, part in sides.items() if run.startswith("inner")]
    assert len(inner) == 2
    assert not set.intersection(*inner)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    assert train_cascade(config, collection, tmp_path) == runs
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")} == before
    config.liver.dataset = config.tumor.dataset = DatasetConfig("ircadb")
    with pytest.raises(ConfigError, match="expected lits, found ircadb"):
        train_cascade(config, collection, tmp_path / "other")


def test_whom_no_cascade_can_be_trained_on_is_told_before_training(collection, tmp_path):
    def refused(message, patients, held=collection):
        config = dataclasses.replace(protocol(), patients=patients)
        config.tumor.tumor_share = 0.5
        with pytest.raises(SplitError, match=message):
            train_cascade(config, held, tmp_path)
        assert not (tmp_path / "liver").exists()

    refused("^train: expected a patient whose tumours were annotated", (*sorted(UNKNOWN),))
    refused("config.tumor.tumor_share: 0.5, but none of", ("patient05", "patient06"))
    refused("expected at least inner_folds .* found 1", ("patient01",))
    twice = {"a": collection.read("patient01"), "b": collection.read("patient01")}
    refused("a of inner fold . and b of .* show the same", (), VolumeCollection("lits", twice))


def test_folds_share_them_out(collection):
    config = protocol()
    for seed in range(5):
        for fold in make_folds(dataclasses.replace(config, seed=seed), collection):
            assert len(UNKNOWN & set(fold.test)) in (1, 2)
            assert set(fold.validation) - UNKNOWN
    only = dataclasses.replace(config, patients=("patient01", *sorted(UNKNOWN)), validation=0)
    only = dataclasses.replace(only, calibrate=False)
    with pytest.raises(SplitError, match=r"fold \d: train: expected a patient whose tumours were"):
        make_folds(only, collection)


@pytest.mark.parametrize("side", ["train", "validation"])
def test_a_tumour_network_is_not_trained_or_selected_on_them(collection, tmp_path, side):
    sides = {"train": ("patient01",), "validation": ("patient02",)} | {side: ("patient07",)}
    config = dataclasses.replace(protocol().tumor, dataset=DatasetConfig("lits", **sides))
    with pytest.raises(SplitError, match=r"lits: expected patients whose .*, found patient07,"):
        train(config, collection, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_protocols_are_not_compared_on_them_nor_datasets_mistaken(collection, tmp_path):
    with pytest.raises(SplitError, match="found patient06, patient07, patient08, whose were not"):
        compare_protocols(protocol(), collection, tmp_path)
    config = protocol()
    config.liver.dataset = config.tumor.dataset = DatasetConfig("ircadb")
    with pytest.raises(ConfigError, match=r"dataset\.name: expected lits, found ircadb"):
        cross_validate(config, collection, tmp_path)
    assert not any(tmp_path.iterdir())
