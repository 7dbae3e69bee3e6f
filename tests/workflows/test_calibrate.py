import dataclasses
import shutil

import numpy as np
import pytest

from liverjax.choices import Recipe, Stage
from liverjax.config import DatasetConfig
from liverjax.errors import CheckpointError, ConfigError, SplitError
from liverjax.evaluation.confusion import count
from liverjax.inference.calibration import FILE_NAME, read_calibration
from liverjax.inference.cascade import compose, load_cascade
from liverjax.inference.load import load_network
from liverjax.inference.postprocess import Postprocess, find_liver
from liverjax.inference.predict import predict_volume
from liverjax.workflows.calibrate import THRESHOLDS, calibrate
from liverjax.workflows.prepared import open_prepared
from tests.small_run import PATIENTS


@pytest.fixture
def runs(small_run, tmp_path):
    """Both networks of the small run, not calibrated yet."""
    runs = {}
    for stage in Stage:
        runs[stage] = shutil.copytree(small_run[0] / stage.value, tmp_path / stage.value)
        (runs[stage] / FILE_NAME).unlink()
    return runs


@pytest.fixture(scope="module")
def collection(small_run):
    return open_prepared("ircadb", small_run[0] / "data")


def load(runs):
    return {stage: load_network(run, stage) for stage, run in runs.items()}


class Recorder:
    """A collection that tells who was read."""

    def __init__(self, collection):
        self._collection, self.asked = collection, set()

    def __getattr__(self, name):
        return getattr(self._collection, name)

    def read(self, patient):
        self.asked.add(patient)
        return self._collection.read(patient)


def test_only_validation_patients_are_looked_at_and_the_best_is_stored(runs, collection):
    recorder = Recorder(collection)
    networks = calibrate(load(runs), recorder)
    made = {stage: network.calibration for stage, network in networks.items()}
    assert recorder.asked == set(PATIENTS.validation)
    for stage in Stage:
        assert read_calibration(runs[stage]) == made[stage]
        assert made[stage].patients == PATIENTS.validation
        assert networks[stage].postprocess == made[stage].chosen
        assert made[stage].score >= made[stage].usual_score
    network = load_network(runs[Stage.LIVER], Stage.LIVER)
    chosen = made[Stage.LIVER].chosen
    assert network.postprocess == chosen
    volume, reference = collection.read(PATIENTS.validation[0])

    def dice(option):
        probability = predict_volume(network, volume, flips=option.flips)
        found = find_liver(Recipe.WINDOW, probability, option, volume.geometry.voxel_ml)
        return count(found, reference.liver).dice

    assert dice(chosen) == pytest.approx(made[Stage.LIVER].score)
    assert dice(Postprocess()) == pytest.approx(made[Stage.LIVER].usual_score)
    best = max(dice(Postprocess(threshold=threshold)) for threshold in THRESHOLDS)
    # Mirrored slices or a threshold other than the best of these must be worth it.
    assert made[Stage.LIVER].score >= best - 0.001


def test_what_was_chosen_is_what_predict_uses(runs, collection):
    calibrate(load(runs), collection)
    volume, _ = collection.read("patient04")
    network = load_network(runs[Stage.LIVER], Stage.LIVER)
    probability = predict_volume(network, volume)
    voxel_ml = volume.geometry.voxel_ml
    expected = find_liver(Recipe.WINDOW, probability, network.postprocess, voxel_ml)
    cascade = load_cascade(runs[Stage.LIVER], runs[Stage.TUMOR])
    np.testing.assert_array_equal(cascade(volume).liver, expected)


def test_a_damaged_choice_can_be_made_anew(runs, collection):
    (runs[Stage.LIVER] / FILE_NAME).write_text("{}")
    with pytest.raises(CheckpointError, match="choose anew"):
        load_network(runs[Stage.LIVER], Stage.LIVER)
    networks = {stage: load_network(run, stage, calibrated=False) for stage, run in runs.items()}
    made = calibrate(networks, collection)
    assert load_network(runs[Stage.LIVER], Stage.LIVER).postprocess == made[Stage.LIVER].postprocess


def test_what_was_chosen_with_another_liver_network_is_not_used(runs, collection, caplog):
    calibrate(load(runs), collection)
    networks = load(runs)
    odd = networks[Stage.TUMOR]._replace(postprocess=Postprocess(threshold=0.01, min_voxels=0))
    volume, _ = collection.read("patient04")
    usual = networks[Stage.TUMOR]._replace(postprocess=Postprocess(), calibration=None)
    expected = compose(networks[Stage.LIVER], usual)(volume)
    other = networks[Stage.LIVER]._replace(fingerprint="another")
    found = compose(other, odd)(volume)
    np.testing.assert_array_equal(found.labels, expected.labels)
    assert "chosen with another liver network" in caplog.text


def test_networks_selected_on_different_patients_are_refused(runs, collection):
    networks = load(runs)
    tumor = networks[Stage.TUMOR]
    other = dataclasses.replace(tumor.config, dataset=DatasetConfig(validation=("patient03",)))
    networks[Stage.TUMOR] = tumor._replace(config=other)
    with pytest.raises(SplitError, match="no patient that both networks were selected on"):
        calibrate(networks, collection)
    wrong = DatasetConfig(validation=("patient06",), test=("patient06",))
    networks[Stage.TUMOR] = tumor._replace(config=dataclasses.replace(tumor.config, dataset=wrong))
    with pytest.raises(SplitError, match="patient06: on validation and on another side"):
        calibrate(networks, collection)
    assert not (runs[Stage.LIVER] / FILE_NAME).exists()


def test_the_thesis_recipe_has_nothing_to_choose(runs, collection):
    networks = load(runs)
    liver = networks[Stage.LIVER]
    recipe = dataclasses.replace(liver.config.preprocess, recipe=Recipe.THESIS)
    config = dataclasses.replace(liver.config, preprocess=recipe)
    with pytest.raises(ConfigError, match="threshold fixed at one half"):
        calibrate(networks | {Stage.LIVER: liver._replace(config=config)}, collection)
