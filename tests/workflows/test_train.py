import dataclasses
import json
import shutil

import pytest

from liverjax.checkpoint import load_model
from liverjax.config import DatasetConfig, Stage
from liverjax.errors import ConfigError, InputError, SplitError
from liverjax.training.log import read_metrics
from liverjax.workflows.manifest import begin_run, check_ancestor
from liverjax.workflows.train import train
from tests.small_run import PATIENTS, small_config


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
        train(with_patients(**sides), workdir / "data", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_goes_on_with_its_own_dataset_and_configuration_only(small_run, tmp_path):
    workdir, _ = small_run
    manifest = json.loads((workdir / "liver" / "manifest.json").read_text())
    manifest["dataset"]["fingerprint"] = "0" * 64
    shutil.copytree(workdir / "liver" / "checkpoints", tmp_path / "checkpoints")
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="fingerprint 000000000000"):
        train(small_config(Stage.LIVER), workdir / "data", tmp_path)
    for damaged in ("{", "[]", "{}"):
        (tmp_path / "manifest.json").write_text(damaged)
        with pytest.raises(InputError, match=r"manifest\.json"):
            train(small_config(Stage.LIVER), workdir / "data", tmp_path)
    other = dataclasses.replace(small_config(Stage.LIVER), seed=1)
    with pytest.raises(ConfigError, match=r"config\.seed"):
        train(other, workdir / "data", workdir / "liver")


def test_a_missing_dataset_says_how_to_build_it(tmp_path):
    with pytest.raises(InputError, match=r"experiments\.build_dataset"):
        train(small_config(Stage.LIVER), tmp_path / "data", tmp_path / "run")


def begun_run(small_run, folder):
    """A copy of the liver's run, to be gone on with for an epoch more, and its manifest."""
    workdir, _ = small_run
    shutil.copytree(workdir / "liver", folder)
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    lines = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    (folder / "metrics.jsonl").write_text("".join(lines[:-1]))
    return path, manifest


def test_a_resumed_run_keeps_its_first_manifest_and_notes_the_second(small_run, tmp_path):
    workdir, _ = small_run
    config = small_config(Stage.LIVER)
    path, begun = begun_run(small_run, tmp_path / "run")
    begin_run(tmp_path / "run", config, fingerprint_of(workdir))
    manifest = json.loads(path.read_text())
    assert {**manifest, "resumed": begun["resumed"]} == begun
    step = read_metrics(tmp_path / "run")[-1]["step"]
    assert [entry["step"] for entry in manifest["resumed"]] == [step]
    assert manifest["resumed"][0]["device"] == begun["device"]
    # With nothing left to do, nothing is noted.
    train(config, workdir / "data", tmp_path / "run")
    train(config, workdir / "data", tmp_path / "run")
    noted = json.loads(path.read_text())["resumed"]
    assert [entry["step"] for entry in noted] == [step, step]


def test_a_run_that_never_came_to_a_checkpoint_begins_anew(small_run, tmp_path):
    workdir, _ = small_run
    config = small_config(Stage.LIVER)
    begun = begin_run(tmp_path, config, fingerprint_of(workdir))
    other = dataclasses.replace(config, seed=1)
    assert begin_run(tmp_path, other, fingerprint_of(workdir))["config"]["seed"] == 1
    assert begin_run(tmp_path, config, fingerprint_of(workdir)) == begun


def test_a_run_that_goes_on_elsewhere_says_what_is_different(small_run, tmp_path, caplog):
    workdir, _ = small_run
    path, manifest = begun_run(small_run, tmp_path / "run")
    manifest["versions"]["jaxlib"] = "0.0.1"
    manifest["device"]["cpus"] = 1000
    path.write_text(json.dumps(manifest))
    begin_run(tmp_path / "run", small_config(Stage.LIVER), fingerprint_of(workdir))
    assert any("begun with jaxlib 0.0.1, now" in line for line in caplog.messages)
    assert any("begun with cpus 1000, now" in line for line in caplog.messages)
    assert len(caplog.messages) == 2


def test_patients_that_the_initial_weights_have_seen_cannot_be_held_out(small_run, tmp_path):
    workdir, _ = small_run
    known = small_config(Stage.LIVER).dataset
    heir = dataclasses.replace(small_config(Stage.LIVER), init_from=str(workdir / "liver"))
    begin_run(tmp_path / "heir", heir, fingerprint_of(workdir))
    manifest = json.loads((tmp_path / "heir" / "manifest.json").read_text())
    assert manifest["initial"]["patients"] == sorted({*known.train, *known.validation})
    with pytest.raises(SplitError, match=rf"{known.train[0]}: .*config\.init_from"):
        check_ancestor([known.train[0]], manifest)
    swapped = DatasetConfig("ircadb", train=known.test, test=known.train)
    with pytest.raises(SplitError, match=r"config\.init_from"):
        begin_run(
            tmp_path / "swapped",
            dataclasses.replace(heir, dataset=swapped),
            fingerprint_of(workdir),
        )
    assert not (tmp_path / "swapped" / "manifest.json").exists()


def fingerprint_of(workdir):
    return load_model(workdir / "liver").manifest["dataset"]["fingerprint"]
