import json

import numpy as np
import pytest

from liverjax.datasets.collection import VolumeCollection
from liverjax.datasets.pairs import nnunet
from liverjax.datasets.pairs.layouts import find_all_pairs
from liverjax.datasets.pairs.nnunet import write_nnunet
from liverjax.datasets.volumes import read_pairs
from liverjax.errors import InputError, SplitError
from liverjax.volume import Geometry, Segmentation, Volume
from tests.commands import run
from tests.datasets.pairs.files import PLACEHOLDER, SPACED, tiny_hu, tiny_labels, write_lits


def collection(geometries, tumors_unknown=()):
    volumes = {}
    for seed, (name, geometry) in enumerate(geometries.items()):
        labels = tiny_labels(tumor=1 if name in tumors_unknown else 2)
        volumes[name] = Volume(tiny_hu(seed), geometry), Segmentation(labels, geometry)
    return VolumeCollection("lits", volumes, tumors_unknown)


def test_what_was_written_is_read_back(tmp_path):
    coarse = Geometry(np.diag([1.0, 2.0, 2.0, 1.0])[[2, 1, 0, 3]], spacing_known=False)
    given = collection({"volume-1": SPACED, "own-b": PLACEHOLDER, "img0027": coarse})
    folder = write_nnunet(given, tmp_path, 7, "Liver")
    assert folder == tmp_path / "Dataset007_Liver"
    assert json.loads((folder / "dataset.json").read_text()) == {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "liver": 1, "tumor": 2},
        "numTraining": 3,
        "file_ending": ".nii.gz",
    }
    found = read_pairs([folder])
    assert set(found.summaries) == set(given.summaries)
    for name in given.summaries:
        for back, there in zip(found.read(name), given.read(name), strict=True):
            for each in ("hu", "labels"):
                if hasattr(there, each):
                    np.testing.assert_array_equal(getattr(back, each), getattr(there, each))
        assert back.geometry.spacing_known is (name == "volume-1")
    assert found.read("volume-1")[0].geometry.matches(SPACED)
    with pytest.raises(InputError, match="Dataset007_Liver: is there already"):
        write_nnunet(given, tmp_path, 7, "Liver")


def test_tumours_are_annotated_in_all_or_in_none(tmp_path):
    given = collection({"volume-1": SPACED, "img0027": SPACED}, {"img0027"})
    with pytest.raises(SplitError, match="of volume-1 were annotated, those of img0027 were not"):
        write_nnunet(given, tmp_path, 7, "Liver")
    folder = write_nnunet(given, tmp_path, 7, "Liver", ["img0027"])
    description = json.loads((folder / "dataset.json").read_text())
    assert description["labels"] == {"background": 0, "liver": 1}
    assert not find_all_pairs([folder])["img0027"].label_map.tumors_known


def test_nothing_is_left_of_what_failed(tmp_path, monkeypatch):
    given = collection({"volume-1": SPACED})

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(nnunet, "write_segmentation", full)
    with pytest.raises(OSError, match="no space left"):
        write_nnunet(given, tmp_path, 7, "Liver")
    assert not any(tmp_path.iterdir())
    for number, name in ((0, "Liver"), (1000, "Liver"), (7, "a/b"), (7, "")):
        with pytest.raises(InputError, match="expected"):
            write_nnunet(given, tmp_path, number, name)


def test_the_command_writes_what_files_hold(tmp_path):
    hu, _ = write_lits(tmp_path / "lits", 4)
    flags = ("--dataset_id=4", "--name=Liver", f"--output={tmp_path}")
    result = run("export_nnunet", f"--data={tmp_path / 'lits'}", *flags)
    assert result.returncode == 0, result.stderr[-2000:]
    written = read_pairs([tmp_path / "Dataset004_Liver"]).read("volume-4")[0]
    np.testing.assert_array_equal(written.hu, hu)
    refused = run("export_nnunet", f"--data_dir={tmp_path}", "--coarsen=2", *flags)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith("error: --coarsen, --exclude, --lab")
