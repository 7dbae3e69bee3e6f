import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest

from configs import thesis_tumor
from liverjax.checkpoint import load_model
from liverjax.choices import Stage
from liverjax.config import DatasetConfig, ModelConfig, OptimizerConfig, PretrainConfig
from liverjax.datasets.content import load_contents
from liverjax.errors import CheckpointError, ConfigError, InputError, SplitError
from liverjax.inference.load import load_network
from liverjax.io.lock import only_user
from liverjax.training.log import read_metrics
from liverjax.training.loop import fit
from liverjax.workflows.build_dataset import build_dataset
from liverjax.workflows.manifest import Subject, begin_run, check_ancestor
from liverjax.workflows.train import read_epochs, train_prepared
from tests.datasets.tiny_archive import write_patient
from tests.small_run import PATIENTS, small_config
from tests.toy import toy_config, toy_source


def test_the_manifest_tells_how_the_run_came_about(small_run):
    workdir, _ = small_run
    manifest = json.loads((workdir / "liver" / "manifest.json").read_text())
    assert manifest == load_model(workdir / "liver").manifest
    assert manifest["patients"]["train"] == list(PATIENTS.train)
    assert manifest["config"]["stage"] == "liver"
    assert manifest["versions"]["jaxlib"]
    assert manifest["device"]["cpus"] >= 1
    assert len(manifest["dataset"]["fingerprint"]) == 64


def with_patients(**sides):
    return dataclasses.replace(small_config(Stage.LIVER), dataset=DatasetConfig(**sides))


@pytest.mark.parametrize(
    ("sides", "message"),
    [
        ({"train": ("patient01",), "test": ("patient01",)}, "patient01 is in both train and test"),
        ({"train": ()}, "config.dataset.train"),
        ({"train": ("patient09",)}, "patient09"),
    ],
)
def test_impossible_patients_are_refused_before_anything_is_written(
    small_run, tmp_path, sides, message
):
    workdir, _ = small_run
    with pytest.raises(SplitError, match=message):
        train_prepared(with_patients(**sides), workdir / "data", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_goes_on_with_its_own_dataset_and_configuration_only(small_run, tmp_path):
    workdir, _ = small_run
    manifest = json.loads((workdir / "liver" / "manifest.json").read_text())
    manifest["dataset"]["fingerprint"] = "0" * 64
    shutil.copytree(workdir / "liver" / "checkpoints", tmp_path / "checkpoints")
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="fingerprint 000000000000"):
        train_prepared(small_config(Stage.LIVER), workdir / "data", tmp_path)
    for damaged in ("{", "[]", "{}"):
        (tmp_path / "manifest.json").write_text(damaged)
        with pytest.raises(InputError, match=r"manifest\.json"):
            train_prepared(small_config(Stage.LIVER), workdir / "data", tmp_path)
    other = dataclasses.replace(small_config(Stage.LIVER), seed=1)
    with pytest.raises(ConfigError, match=r"config\.seed"):
        train_prepared(other, workdir / "data", workdir / "liver")


def test_a_missing_dataset_says_how_to_build_it(tmp_path):
    with pytest.raises(InputError, match=r"experiments\.build_dataset"):
        train_prepared(small_config(Stage.LIVER), tmp_path / "data", tmp_path / "run")


def test_a_start_refused_for_another_leaves_its_manifest_alone(small_run, tmp_path):
    workdir, _ = small_run
    shutil.copytree(workdir / "liver", tmp_path / "run")
    last = checkpoint_steps(tmp_path / "run")[-1]
    shutil.rmtree(tmp_path / "run" / "checkpoints" / str(last))  # something is left to do
    shutil.copytree(tmp_path / "run", tmp_path / "early")
    shutil.rmtree(tmp_path / "early" / "checkpoints")
    for run in (tmp_path / "run", tmp_path / "early"):
        begun = (run / "manifest.json").read_bytes()
        with only_user(run), pytest.raises(InputError, match="another process is writing here"):
            train_prepared(small_config(Stage.LIVER), workdir / "data", run)
        assert (run / "manifest.json").read_bytes() == begun


def checkpoint_steps(run):
    return sorted(int(path.name) for path in (run / "checkpoints").glob("[0-9]*"))


def test_a_resumed_run_keeps_its_first_manifest_and_notes_the_second(small_run, tmp_path, caplog):
    """The newest checkpoint of a run that was finished is damaged: its epochs are done again."""
    workdir, _ = small_run
    run, config = tmp_path / "run", small_config(Stage.LIVER)
    shutil.copytree(workdir / "liver", run)
    begun = json.loads((run / "manifest.json").read_text())
    begun["versions"]["jaxlib"] = "0.0.1"
    begun["device"]["cpus"] = 1000
    (run / "manifest.json").write_text(json.dumps(begun))
    before, last = checkpoint_steps(run)[-2:]
    (run / "checkpoints" / str(last) / "contents.json").unlink()
    train_prepared(config, workdir / "data", run)
    manifest = json.loads((run / "manifest.json").read_text())
    assert {**manifest, "resumed": []} == begun
    assert [entry["step"] for entry in manifest["resumed"]] == [before]
    assert manifest["resumed"][0]["device"]["cpus"] < 1000
    different = [line for line in caplog.messages if "begun with" in line]
    assert len(different) == 2
    assert any("begun with jaxlib 0.0.1, now" in line for line in different)
    assert any("begun with cpus 1000, now" in line for line in different)
    # With nothing left to do, nothing is noted.
    train_prepared(config, workdir / "data", run)
    assert json.loads((run / "manifest.json").read_text()) == manifest


def test_a_run_that_never_came_to_a_checkpoint_begins_anew(small_run, tmp_path):
    workdir, _ = small_run
    config = small_config(Stage.LIVER)
    begun = begin_anew(tmp_path, config, workdir)
    other = dataclasses.replace(config, seed=1)
    assert begin_anew(tmp_path, other, workdir)["config"]["seed"] == 1
    assert begin_anew(tmp_path, config, workdir) == begun


def test_initial_weights_must_tell_whom_they_have_seen(small_run, tmp_path):
    workdir, _ = small_run
    fit(toy_config(epochs=1), toy_source(), None, tmp_path / "first", {})
    heir = dataclasses.replace(small_config(Stage.LIVER), init_from=str(tmp_path / "first"))
    with pytest.raises(CheckpointError, match=r"config\.init_from: .*first does not tell"):
        train_prepared(heir, workdir / "data", tmp_path / "heir")
    assert not (tmp_path / "heir" / "manifest.json").exists()


def test_patients_that_the_initial_weights_have_seen_cannot_be_held_out(
    small_run, tmp_path, caplog
):
    workdir, _ = small_run
    known = small_config(Stage.LIVER).dataset
    heir = dataclasses.replace(small_config(Stage.LIVER), init_from=str(workdir / "liver"))
    begin_anew(tmp_path / "heir", heir, workdir)
    manifest = json.loads((tmp_path / "heir" / "manifest.json").read_text())
    assert manifest["initial"]["patients"] == sorted({*known.train, *known.validation})
    assert f"the initial weights have seen {known.validation[0]}" in caplog.text
    with pytest.raises(SplitError, match=rf"{known.train[0]}: .*config\.init_from"):
        check_ancestor([known.train[0]], manifest)
    swapped = DatasetConfig("ircadb", train=known.test, test=known.train)
    with pytest.raises(SplitError, match=r"config\.init_from"):
        begin_anew(tmp_path / "swapped", dataclasses.replace(heir, dataset=swapped), workdir)
    assert not (tmp_path / "swapped" / "manifest.json").exists()


def weights(run):
    return jax.tree.leaves(load_model(run).variables["params"])


def test_a_run_starts_from_the_weights_of_its_epochs_on_a_smaller_input(small_run, tmp_path):
    workdir, _ = small_run
    config = dataclasses.replace(
        small_config(Stage.LIVER),
        epochs=1,
        optimizer=OptimizerConfig(learning_rate=1e-12),
        pretrain=PretrainConfig(epochs=2, size=32, learning_rate=1e-2),
    )
    run, first = tmp_path / "run", tmp_path / "run" / "pretrained"
    train_prepared(config, workdir / "data", run)
    assert [len(read_metrics(each)) for each in (first, run)] == [2, 1]
    records, smaller = read_epochs(run)
    assert [record["epoch"] for record in records] == [1, 2, 3]
    steps = [record["step"] for record in records]
    assert steps == [steps[0] * epoch for epoch in (1, 2, 3)]
    assert smaller == 2
    assert read_epochs(first) == (read_metrics(first), 0)
    sizes = [load_model(each).config["preprocess"]["size"] for each in (first, run)]
    assert sizes == [32, config.preprocess.size]
    # Nothing is selected in the first ones, so that they have not seen these patients.
    assert not json.loads((first / "manifest.json").read_text())["patients"]["validation"]
    assert sorted(load_contents(first / "contents.npz")) == sorted(PATIENTS.train)
    assert len(load_contents(run / "contents.npz")) == len((*PATIENTS.train, *PATIENTS.validation))
    for before, after in zip(weights(first), weights(run), strict=True):
        np.testing.assert_allclose(before, after, atol=1e-6)
    # Half done it goes on, and done it has no need of what came before.
    shutil.rmtree(run / "checkpoints")
    train_prepared(config, workdir / "data", run)
    assert len(read_metrics(run)) == 1
    shutil.rmtree(first)
    train_prepared(config, workdir / "data", run)
    assert not first.exists()


def begin_anew(run, config, workdir):
    fingerprint = load_model(workdir / "liver").manifest["dataset"]["fingerprint"]
    return begin_run(run, Subject(config, fingerprint), {}, step=None, finished=False)


def test_the_thesis_sees_every_slice_and_36_copies_of_those_with_tumour(tmp_path):
    write_patient(tmp_path / "manual", 4, depth=6)
    write_patient(tmp_path / "manual", 17)
    build_dataset("ircadb", tmp_path / "manual", tmp_path / "data")
    config = thesis_tumor.get_config()  # only this stage could leave slices out
    config.epochs = 1
    config.dataset = DatasetConfig(train=("patient04",), validation=("patient17",))
    config.preprocess = dataclasses.replace(config.preprocess, size=16)
    config.model = ModelConfig(features=(4, 4))
    train_prepared(config, tmp_path / "data", tmp_path / "run")
    (record,) = read_metrics(tmp_path / "run")
    assert record["step"] == (6 + 36) // config.batch_size
    assert record["learning_rate"] == pytest.approx(1e-3)
    assert load_network(tmp_path / "run", config.stage).config == config
