import dataclasses

import numpy as np
import pytest

from liverjax.choices import Stage
from liverjax.config import DatasetConfig, ExperimentConfig
from liverjax.datasets.collection import VolumeCollection
from liverjax.errors import InputError, SplitError
from liverjax.inference.load import load_network
from liverjax.volume import Volume
from liverjax.workflows.evaluate import evaluate
from liverjax.workflows.leaks import check_training_side, find_seen
from liverjax.workflows.prepared import open_prepared
from tests.small_run import PATIENTS


@pytest.fixture(scope="module")
def networks(small_run):
    return {stage: load_network(small_run[0] / stage.value, stage) for stage in Stage}


@pytest.fixture(scope="module")
def collection(small_run):
    return open_prepared("ircadb", small_run[0] / "data")


def disguised(collection, patient):
    """A patient as it may come again: in 8 bits of a window, flipped."""
    volume, reference = collection.read(patient)
    grey = np.rint((np.clip(volume.hu, -160, 240) + 160) / 400 * 255)
    hu = np.ascontiguousarray(grey[:, ::-1].astype(np.int16))
    return Volume(hu, volume.geometry), reference


def test_a_patient_under_another_name_and_in_another_dataset_is_known_again(networks, collection):
    foreign = VolumeCollection(
        "elsewhere",
        {
            "trained": disguised(collection, "patient01"),
            "selected": disguised(collection, "patient06"),
            "new": disguised(collection, "patient04"),
        },
    )
    seen = find_seen(("trained", "selected", "new"), list(networks.values()), foreign)
    assert set(seen) == {"trained", "selected"}
    assert "patient01" in seen["trained"]
    with pytest.raises(SplitError, match="not held out, so nothing can be judged on it: trained"):
        evaluate(networks, foreign, ["new", "trained"])
    found = evaluate(networks, foreign, ["new", "trained"], allow_seen=True)
    assert [case.case for case in found.cases] == ["new", "trained"]
    assert found.seen == ("trained",)


def test_a_run_that_lost_its_record_judges_nobody(networks, collection):
    bare = networks[Stage.LIVER]._replace(run=None)
    seen = find_seen(("patient04", "patient01"), [bare], collection)
    assert seen == {
        "patient04": "the liver network keeps no record of whom it has seen",
        "patient01": "the liver network was trained on it",
    }
    with pytest.raises(SplitError, match="patient04: the liver network keeps no record"):
        evaluate(networks | {Stage.LIVER: bare}, collection, ["patient04"])


def test_whom_initial_weights_have_seen_is_seen(networks, collection):
    initial = {"dataset": {"name": "ircadb"}, "patients": ["patient04"]}
    network = networks[Stage.LIVER]
    heir = network._replace(manifest=network.manifest | {"initial": initial})
    assert (
        "initial weights" in find_seen(("patient04", "patient05"), [heir], collection)["patient04"]
    )


def test_in_other_files_of_the_same_name_names_and_contents_are_refused(networks, collection):
    own = {
        "patient01": collection.read("patient04"),
        "again": disguised(collection, "patient01"),
        "new": collection.read("patient05"),
    }
    other = VolumeCollection("ircadb", own)
    seen = find_seen(tuple(own), [networks[Stage.LIVER]], other)
    assert seen.keys() == {"patient01", "again"}
    assert seen["patient01"] == "the liver network was trained on a patient of this name"
    # Those that they hold back are somebody else there, so they are to be named.
    with pytest.raises(InputError, match="liver network was trained on a dataset of fingerprint"):
        evaluate(networks, other)
    assert [case.case for case in evaluate(networks, other, ["new"]).cases] == ["new"]


def test_networks_for_use_judge_everybody_of_own_files(networks, collection):
    everywhere = {
        stage: network._replace(
            config=dataclasses.replace(
                network.config, dataset=dataclasses.replace(network.config.dataset, test=())
            )
        )
        for stage, network in networks.items()
    }
    own = VolumeCollection("ircadb", {"new": collection.read("patient05")})
    assert [case.case for case in evaluate(everywhere, own).cases] == ["new"]
    with pytest.raises(SplitError, match="found the liver network nobody of ircadb"):
        evaluate(everywhere, collection)


def test_lits_copies_of_ircadb_are_refused_on_either_side(networks, collection):
    network = networks[Stage.LIVER]
    lits = dataclasses.replace(network.config, dataset=DatasetConfig("lits", ("volume-30",)))
    seen = find_seen(("patient04",), [network._replace(config=lits)], collection)
    assert "volume-30 of lits" in seen["patient04"]
    for volumes in (("volume-27",), ("liver_48",)):
        sides = DatasetConfig("lits", volumes, also_tested_on=("ircadb",))
        with pytest.raises(SplitError, match=volumes[0]):
            check_training_side(ExperimentConfig(dataset=sides), collection)


def check(sides, collection, **fields):
    return check_training_side(ExperimentConfig(dataset=sides, **fields), collection)


def test_one_patient_on_two_sides_under_two_names_is_refused_before_training(collection):
    double = VolumeCollection(
        "toy",
        {
            "first": collection.read("patient01"),
            "second": collection.read("patient02"),
            "again": disguised(collection, "patient01"),
        },
    )
    with pytest.raises(SplitError, match="first of train and again of test show the same"):
        check(DatasetConfig("toy", ("first",), ("second",), ("again",)), double)
    with pytest.raises(SplitError, match="first of train and again of validation"):
        check(DatasetConfig("toy", ("first",), ("again",)), double)
    seen = check(DatasetConfig("toy", ("first", "again"), ("second",)), double)
    assert set(seen) == {"first", "again", "second"}


def test_whom_initial_weights_have_seen_is_known_again_and_goes_on_record(collection, small_run):
    double = VolumeCollection(
        "toy",
        {
            "new": collection.read("patient04"),
            "other": collection.read("patient05"),
            "again": disguised(collection, "patient02"),
        },
    )
    run = str(small_run[0] / "liver")
    with pytest.raises(SplitError, match="patient02 of the initial weights and again of test"):
        check(DatasetConfig("toy", ("new",), ("other",), ("again",)), double, init_from=run)
    seen = check(DatasetConfig("toy", ("again",), (), ("new",)), double, init_from=run)
    assert set(seen) == {"again"} | {
        f"{run}: {name}" for name in (*PATIENTS.train, *PATIENTS.validation)
    }
