import hashlib
import json
import shutil
import zipfile

import numpy as np
import pytest

from liverjax.checkpoint import LoadedModel
from liverjax.choices import Stage
from liverjax.errors import CheckpointError, ConfigError, InputError
from liverjax.inference import bundle
from liverjax.inference.bundle import (
    MAX_BYTES,
    RECORD,
    SHIPPED,
    Packed,
    read_bundle,
    write_bundle,
)
from liverjax.inference.cascade import load_cascade
from liverjax.inference.load import load_networks
from liverjax.inference.predict import predict_volume
from liverjax.inference.weight_file import rounded
from liverjax.volume import Geometry, Volume
from liverjax.workflows.ship import ship
from tests.inference.bundles import CHOSEN, PATIENTS, SECRET, contents, write_run
from tests.toy import toy_slices

FILES = ["cascade.json"] + [
    f"{stage}/{name}.npz" for stage in ("liver", "tumor") for name in ("contents", "weights")
]


@pytest.fixture(scope="module")
def volume():
    hu = np.ascontiguousarray(toy_slices(7)[0][..., 0])
    return Volume(hu, Geometry.from_axes((0, 0, 0), (4.0, 3.0, 3.0)))


def test_networks_come_back_with_all_that_inference_needs(untrained_runs, shipped, volume):
    exact, found = load_networks(untrained_runs), read_bundle(shipped)
    for stage in Stage:
        one, other = exact[stage], found[stage]
        assert other.postprocess == CHOSEN[stage]
        assert (other.calibration, other.step) == (one.calibration, 7)
        assert other.fingerprint == one.fingerprint
        assert (other.config.model, other.config.preprocess, other.config.dataset) == (
            one.config.model,
            one.config.preprocess,
            one.config.dataset,
        )
        assert other.manifest["patients"] == {side: list(PATIENTS[side]) for side in PATIENTS}
        weights = (shipped / stage.value / "weights.npz").read_bytes()
        assert other.shipped == ("1.2", hashlib.sha256(weights).hexdigest())
        liver = None if stage is Stage.LIVER else np.ones(volume.hu.shape, bool)
        first, second = (predict_volume(network, volume, liver) for network in (one, other))
        assert np.ptp(first) > 0.01
        np.testing.assert_allclose(second, first, atol=0.01)
        assert np.abs(second - first).mean() < 1e-3


def test_kernels_are_rounded_and_all_else_is_not(shipped):
    for stage in Stage:
        with np.load(shipped / stage.value / "weights.npz", allow_pickle=False) as stored:
            types = {name: (values.ndim, values.dtype) for name, values in stored.items()}
        assert any(name.startswith("batch_stats/") for name in types) == (stage is Stage.LIVER)
        assert {dtype for dim, dtype in types.values() if dim > 1} == {np.dtype(np.float16)}
        assert {dtype for dim, dtype in types.values() if dim == 1} == {np.dtype(np.float32)}


def test_equal_runs_give_equal_bytes_that_name_no_folder(untrained_runs, shipped, tmp_path):
    assert sorted(contents(shipped)) == sorted(FILES)
    copies = {
        stage: shutil.copytree(run, tmp_path / stage.value) for stage, run in untrained_runs.items()
    }
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "MODEL_CARD.md").write_text("mine")
    for version in ("0", "1.2"):  # the second replaces the first
        sizes = ship(copies, tmp_path / "out", version)
    found = contents(tmp_path / "out")
    assert found.pop("MODEL_CARD.md") == b"mine"
    assert found == contents(shipped)
    assert sizes == {name: len(data) for name, data in found.items()}
    for name, data in found.items():
        assert SECRET.encode() not in data, name
    with np.load(shipped / "liver" / "contents.npz", allow_pickle=False) as stored:
        seen = stored["patients"].tolist()
    assert seen == ["the initial weights: volume-1", "volume-1", "volume-2"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.full((2, 2), 0.1), np.float16),
        (np.full((2, 2), 65504.0), np.float16),
        (np.full((2, 2), 1e5), np.float32),  # beyond float16
        (np.full((2, 2), 1e-7), np.float32),  # it has one digit left for these
        (np.array([[0.1, 1e-7]]), np.float16),  # beside a large one that is nothing
        (np.zeros((2, 2)), np.float16),
        (np.full(2, 0.1), np.float32),
    ],
)
def test_what_float16_cannot_tell_stays(values, expected):
    found = rounded(values)
    assert found.dtype == expected
    np.testing.assert_allclose(found, values, atol=np.abs(values).max() / 2048)


def change_record(change, seal=True):
    """Changes what the record says, as if it had been written so; else as damage would."""

    def damage(folder):
        path = folder / RECORD
        record = json.loads(path.read_text())
        del record["checksum"]
        checksum = "0" * 64
        change(record)
        if seal:
            text = json.dumps(record, sort_keys=True)
            checksum = hashlib.sha256(text.encode()).hexdigest()
        path.write_text(json.dumps({**record, "checksum": checksum}))

    return damage


def change_config(**fields):
    return change_record(lambda record: record["networks"]["liver"]["config"].update(fields))


def change_weights(change):
    """Changes the liver's weights, as if they had been written so."""

    def damage(folder):
        path = folder / "liver" / "weights.npz"
        with np.load(path, allow_pickle=False) as stored:
            arrays = dict(stored)
        change(path, arrays)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        network = "liver"
        change_record(
            lambda record: record["networks"][network]["files"].update({"weights.npz": digest})
        )(folder)

    return damage


def swap(record):
    networks = record["networks"]
    for stage, other in (("liver", "tumor"), ("tumor", "liver")):
        networks[stage]["config"]["stage"] = other


def cut(folder):
    path = folder / "liver" / "weights.npz"
    path.write_bytes(path.read_bytes()[:-20])


def flip(folder):
    path = folder / "tumor" / "contents.npz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)


def objects(path, arrays):
    with zipfile.ZipFile(path, "w") as archive, archive.open("params/a.npy", "w") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|O", "fortran_order": False, "shape": (1,)}
        )


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / RECORD).unlink(), "holds no weights of a cascade"),
        (lambda folder: (folder / RECORD).write_text("{"), r"cascade\.json: damaged"),
        (lambda folder: (folder / RECORD).write_text("[]"), r"cascade\.json: damaged"),
        (change_record(lambda record: record.update(format=2)), "expected a bundle of format 1, f"),
        (change_record(lambda record: record.update(version="3"), False), "its checksum is"),
        (change_record(lambda record: record.pop("networks")), r"cascade\.json: damaged"),
        (change_record(lambda record: record["networks"].pop("tumor")), r"cascade\.json: damaged"),
        (change_record(swap), r"weights\.npz: expected a network of stage liver, found tumor"),
        (change_config(epoch=3), r"weights\.npz: its stored configuration .*config\.epoch"),
        (change_config(model={"features": [8, 16]}), r"weights\.npz: not the weights of its"),
        (cut, r"liver/weights\.npz: damaged \(\d+ bytes whose checksum"),
        (flip, r"tumor/contents\.npz: damaged"),
        (lambda folder: (folder / "tumor" / "weights.npz").unlink(), r"weights\.npz: .* is missi"),
        (
            change_weights(lambda path, arrays: np.savez(path, **dict(list(arrays.items())[1:]))),
            r"weights\.npz: not the weights of its stored configuration",
        ),
        (
            change_weights(lambda path, arrays: np.savez_compressed(path, **arrays)),
            r"weights\.npz: damaged \(ValueError: compressed",
        ),
        (
            change_weights(lambda path, arrays: np.savez(path, a=np.zeros(3, int))),
            r"weights\.npz: damaged \(ValueError: numbers of type int64",
        ),
        (change_weights(objects), r"weights\.npz: damaged \(ValueError: Object arrays"),
        (change_weights(lambda path, _: path.write_bytes(b"PK")), r"weights\.npz: damaged"),
    ],
)
def test_what_is_not_as_it_was_written_is_refused_by_file(shipped, tmp_path, damage, message):
    folder = shutil.copytree(shipped, tmp_path / "weights")
    damage(folder)
    with pytest.raises(CheckpointError, match=message):
        read_bundle(folder)


def test_the_bundle_of_the_package_is_what_load_cascade_takes(
    untrained_runs, shipped, volume, monkeypatch, tmp_path
):
    monkeypatch.setattr(bundle, "SHIPPED", shipped)
    found = load_cascade()
    assert found.liver.shipped.version == found.tumor.shipped.version == "1.2"
    assert found.tumor.postprocess == CHOSEN[Stage.TUMOR]  # chosen with this liver network
    other = load_cascade(weights=str(shipped))
    np.testing.assert_array_equal(found(volume).labels, other(volume).labels)
    liver, tumor = (untrained_runs[stage] for stage in Stage)
    assert load_cascade(liver, tumor).liver.shipped is None
    with pytest.raises(ConfigError, match="tumor: expected a folder, as liver has one"):
        load_cascade(liver)
    with pytest.raises(ConfigError, match="liver: expected a folder, as tumor has one"):
        load_cascade(tumor_dir=tumor)
    with pytest.raises(ConfigError, match="weights: expected none beside"):
        load_cascade(liver, tumor, weights=shipped)
    monkeypatch.setattr(bundle, "SHIPPED", tmp_path)
    with pytest.raises(CheckpointError, match=r"expected a folder that experiments\.ship wrote"):
        load_cascade()


def test_what_cannot_be_shipped_leaves_the_earlier_bundle(
    untrained_runs, shipped, tmp_path, monkeypatch
):
    folder = shutil.copytree(shipped, tmp_path / "out")
    monkeypatch.setattr(bundle, "MAX_BYTES", 10_000)
    with pytest.raises(CheckpointError, match=r"would take 0\.\d MB, expected at most 0\.01"):
        ship(untrained_runs, folder, "2")
    monkeypatch.undo()
    other = tmp_path / "other"
    write_run(other, Stage.LIVER, epochs=3)
    with pytest.raises(CheckpointError, match="chosen with another liver network than"):
        ship({**untrained_runs, Stage.LIVER: other}, folder, "2")
    assert contents(folder) == contents(shipped)
    # One that was killed on its way is done again.
    (folder / RECORD).unlink()
    (folder / "tumor" / "weights.npz").unlink()
    ship(untrained_runs, folder, "1.2")
    assert contents(folder) == contents(shipped)
    # The workdirs lie side by side under the names of a bundle's folders.
    before = contents(untrained_runs[Stage.LIVER].parent)
    with pytest.raises(InputError, match=r"liver: not of a bundle, as there is no cascade\.json"):
        ship(untrained_runs, untrained_runs[Stage.LIVER].parent, "2")
    assert contents(untrained_runs[Stage.LIVER].parent) == before


def test_weights_that_are_not_finite_are_not_shipped(tmp_path):
    model = {"params": {"head": {"kernel": np.array([[1.0, np.nan]])}}}
    packed = Packed(LoadedModel(model, {}, {}, 1, "f"), None, None)
    with pytest.raises(CheckpointError, match="liver network: params/head/kernel: expected finite"):
        write_bundle(tmp_path, dict.fromkeys(Stage, packed), "1")
    assert contents(tmp_path) == {}


def test_the_package_ships_whole_weights_with_their_card():
    if not (SHIPPED / RECORD).is_file():
        pytest.skip("no weights are shipped yet")
    networks = read_bundle()
    for stage, network in networks.items():
        sides = network.config.dataset
        seen = [*sides.train, *sides.validation]
        initial = network.manifest.get("initial")
        seen += initial["patients"] if initial else []
        assert seen, stage
        # The only patient at hand whom a figure is held out on.
        assert sides.name != "ircadb" or "patient17" not in seen
        # Thresholds are chosen on validation patients, or are the defaults.
        assert sides.validation or network.calibration is None
        assert (SHIPPED / stage.value / "contents.npz").is_file()
    assert sum(map(len, contents(SHIPPED).values())) < MAX_BYTES
    card = (SHIPPED / "MODEL_CARD.md").read_text()
    assert "CC BY-SA 4.0" in card
    assert "Research use only" in card
    assert "TODO" not in card
    assert "CC BY-SA 4.0" in (SHIPPED / "LICENSE").read_text()
