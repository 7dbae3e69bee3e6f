import dataclasses
import json
import logging
import shutil
from types import SimpleNamespace

import h5py
import jax
import numpy as np
import pytest

from configs import thesis_liver
from liverjax.checkpoint import load_model, open_checkpoints
from liverjax.choices import Stage
from liverjax.config import DatasetConfig, ModelConfig
from liverjax.errors import CheckpointError, InputError, SplitError
from liverjax.inference.load import load_network
from liverjax.io.lock import only_user
from liverjax.models.keras_import.convert import read_keras
from liverjax.models.keras_import.graph import CONV, thesis_graph
from liverjax.training.devices import all_devices
from liverjax.training.program import build_program
from liverjax.training.resume import restore, start_from
from liverjax.workflows.import_keras import import_keras, stage_of, with_patients
from liverjax.workflows.leaks import find_seen
from liverjax.workflows.manifest import Subject, begin_run
from tests.test_commands import run

SMALL = (4, 8)


def write_h5(path, features=SMALL):
    """A file of weights that fit, by no help of Keras."""
    rng = np.random.default_rng(0)
    numbers = {}
    with h5py.File(path, "w") as file:
        for node in thesis_graph(features, 3):
            if not node.shapes:
                continue
            stem = "conv2d" if node.kind == CONV else "batch_normalization"
            number = numbers[stem] = numbers.get(stem, 0) + 1
            group = file.create_group(f"{stem}_{number}")
            group.attrs["weight_names"] = [f"{stem}_{number}/{kind}:0" for kind in node.shapes]
            for kind, shape in node.shapes.items():
                values = rng.uniform(0.1, 0.2, shape).astype(np.float32)
                group[f"{stem}_{number}/{kind}:0"] = values
        file.attrs["layer_names"] = list(file)
    return path


def small_config(held_out=("patient12",), **fields):
    config = with_patients(thesis_liver.get_config(), held_out)
    preprocess = dataclasses.replace(config.preprocess, size=32)
    model = ModelConfig(features=SMALL)
    return dataclasses.replace(config, preprocess=preprocess, model=model, **fields)


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """The file and the run that was made of it."""
    folder = tmp_path_factory.mktemp("import")
    h5 = write_h5(folder / "liver_model.h5")
    import_keras(h5, folder / "run", small_config())
    return h5, folder / "run"


def test_the_run_is_one_that_inference_takes(imported):
    h5, run = imported
    network = load_network(run, Stage.LIVER)
    assert network.config == small_config()
    batch = {"image": np.zeros((1, 48, 48, 1), np.int16)}
    assert network.probability(batch).shape == (1, 48, 48, 1)
    found = load_model(run).variables
    for left, right in zip(
        jax.tree.leaves(found), jax.tree.leaves(read_keras(h5, SMALL, 3).variables), strict=True
    ):
        np.testing.assert_array_equal(left, right)
    with pytest.raises(CheckpointError, match="expected a network of stage tumor, found liver"):
        load_network(run, Stage.TUMOR)


def test_the_manifest_tells_where_the_weights_are_from(imported):
    _, run = imported
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest == load_model(run).manifest
    assert manifest["source"]["file"] == "liver_model.h5"
    assert len(manifest["source"]["sha256"]) == 64
    assert manifest["source"]["layers"]["stem_conv"] == "conv2d_1"
    assert manifest["dataset"] == {"name": "ircadb", "fingerprint": None, "livers": None}
    assert manifest["patients"]["test"] == ["patient12"]
    assert len(manifest["patients"]["train"]) == 19
    assert manifest["initial"] is None
    assert "jax" in manifest["versions"]


def test_it_is_judged_on_those_held_out_alone_and_says_what_is_not_known(imported, caplog):
    network = load_network(imported[1], Stage.LIVER)
    collection = SimpleNamespace(name="ircadb", fingerprint="0" * 64)
    with caplog.at_level(logging.WARNING):
        seen = find_seen(("patient12", "patient01"), [network], collection)
    assert seen == {"patient01": "the liver network was trained on it"}
    assert "liver network was imported and does not tell which files" in caplog.text
    assert "keeps no record of what its patients show" in caplog.text


def test_training_does_not_go_on_in_its_folder(imported):
    run = imported[1]
    config = small_config()
    devices = all_devices()
    state = build_program(config, 2, devices.everywhere).state
    with (
        open_checkpoints(run) as checkpoints,
        pytest.raises(CheckpointError, match=r"were imported.*--config\.init_from="),
    ):
        restore(config, state, checkpoints, run, devices)
    assert load_model(run).step == 0


def test_nobody_is_held_out_unless_the_user_says_so():
    dataset = with_patients(thesis_liver.get_config(), ()).dataset
    assert len(dataset.train) == 20
    assert dataset.validation == dataset.test == ()
    with pytest.raises(
        SplitError, match="expected some of patient01 to patient20, found 'patient21'"
    ):
        with_patients(thesis_liver.get_config(), ("patient12", "patient21"))


def test_a_run_can_start_from_it_and_not_be_tested_on_its_patients(imported, tmp_path):
    run = imported[1]
    config = small_config(init_from=str(run))
    manifest = begin_run(tmp_path / "tuned", Subject(config, "f" * 64), {}, None, False)
    assert manifest["initial"]["step"] == 0
    assert manifest["initial"]["dataset"]["fingerprint"] is None
    assert "patient12" not in manifest["initial"]["patients"]
    config.dataset = DatasetConfig("ircadb", ("patient02",), (), ("patient01",))
    with pytest.raises(SplitError, match="patient01: among the patients of the run"):
        begin_run(tmp_path / "refused", Subject(config, "f" * 64), {}, None, False)
    devices = all_devices()
    state = build_program(config, 2, devices.everywhere).state
    state = start_from(run, 0, state, devices)
    kernel = load_model(run).variables["params"]["stem_conv"]["kernel"]
    np.testing.assert_array_equal(state.params["stem_conv"]["kernel"], kernel)


def test_what_lies_in_the_folder_is_left_alone(imported, tmp_path):
    h5, run = imported
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=r"holds a run already \(0\)"):
        import_keras(h5, run, small_config())
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    (tmp_path / "training").mkdir()
    with (
        only_user(tmp_path / "training"),
        pytest.raises(InputError, match="another process is writing here"),
    ):
        import_keras(h5, tmp_path / "training", small_config())
    assert [path.name for path in (tmp_path / "training").iterdir()] == [".lock"]


def test_a_file_that_is_refused_leaves_nothing_behind(tmp_path):
    h5 = write_h5(tmp_path / "liver.h5", (4, 6))
    with pytest.raises(InputError, match="not the residual U-Net of the thesis"):
        import_keras(h5, tmp_path / "run", small_config())
    assert not (tmp_path / "run").exists()


def test_an_import_that_was_cut_off_can_be_repeated(imported, tmp_path):
    half = tmp_path / "run" / "checkpoints" / "0"
    half.mkdir(parents=True)
    (half / "model").write_text("half")
    shutil.copy(imported[1] / "manifest.json", tmp_path / "run")
    import_keras(imported[0], tmp_path / "run", small_config())
    assert load_model(tmp_path / "run").step == 0


@pytest.mark.parametrize("text", ['{"config": {}}', "no JSON"])
def test_the_manifest_of_a_run_that_was_just_begun_is_left_alone(imported, tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(InputError, match=r"holds a run already \(manifest.json\)"):
        import_keras(imported[0], tmp_path, small_config())
    assert (tmp_path / "manifest.json").read_text() == text


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("liver_model_final_resunet.h5", Stage.LIVER),
        ("tumor_weights_final_50epochs.h5", Stage.TUMOR),
        ("TUMOUR.h5", Stage.TUMOR),
    ],
)
def test_the_name_of_the_file_tells_the_stage(name, stage, tmp_path):
    assert stage_of(tmp_path / "liver" / "tumor" / name) is stage


@pytest.mark.parametrize("name", ["liver_tumor.h5", "weights.h5"])
def test_a_name_that_does_not_tell_is_refused(name, tmp_path):
    with pytest.raises(InputError, match=rf"{name}: .*; give --stage=liver or --stage=tumor"):
        stage_of(tmp_path / name)


def test_the_command_writes_a_run_and_tells_what_it_read(tmp_path):
    h5 = write_h5(tmp_path / "tumor_weights.h5", ModelConfig().features)
    flags = [f"--h5={h5}", f"--output={tmp_path / 'run'}"]
    result = run(
        "import_keras", *flags, "--held_out=patient12,patient03", "--resize_filter=bicubic"
    )
    assert result.returncode == 0, result.stderr
    checkpoint, network, patients = result.stdout.splitlines()
    assert checkpoint == str(tmp_path / "run" / "checkpoints" / "0")
    assert network == "tumor network: 58 layers, 4,723,057 parameters"
    assert patients == "trained on 18 patients; held out: patient03, patient12"
    manifest = load_model(tmp_path / "run").manifest
    assert "--held_out=patient12,patient03" in manifest["command"]
    assert manifest["config"]["stage"] == "tumor"
    assert manifest["config"]["preprocess"]["resize_filter"] == "bicubic"
    again = run("import_keras", *flags)
    assert again.returncode == 1
    (line,) = again.stderr.splitlines()
    assert line.startswith("error: ")
    assert "holds a run already" in line


def test_the_command_says_what_is_wrong_in_one_line(tmp_path):
    (tmp_path / "weights.h5").write_bytes(b"none")
    flags = [f"--h5={tmp_path / 'weights.h5'}", f"--output={tmp_path / 'run'}"]
    for more, message in [
        ([], "its name tells no stage"),
        (["--stage=liver"], "no HDF5 file"),
        (["--stage=liver", "--held_out=patient99"], "found 'patient99'"),
    ]:
        result = run("import_keras", *flags, *more)
        assert result.returncode == 1
        (line,) = result.stderr.splitlines()
        assert line.startswith("error: ")
        assert message in line
    assert not (tmp_path / "run").exists()
