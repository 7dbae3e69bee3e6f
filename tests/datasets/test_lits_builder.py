import tempfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from liverjax.datasets.lits import lits_dataset_builder
from liverjax.datasets.pairs.label_map import LabelMap
from liverjax.datasets.pairs.layouts import PairOptions
from liverjax.datasets.slices import PatientSummary
from liverjax.errors import ConfigError, InputError
from liverjax.input_pipeline import reader
from liverjax.workflows.build_dataset import build_dataset, format_summary
from tests.commands import run
from tests.datasets.pairs.files import PLACEHOLDER, SPACED, write_btcv, write_lits, write_pair


class LitsTest(tfds.testing.DatasetBuilderTestCase):
    """TFDS' own checks: registration, metadata, tags, and examples that fit the features."""

    DATASET_CLASS = lits_dataset_builder.Builder
    SPLITS = {"volume-1": 4, "volume-12": 4}

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.EXAMPLE_DIR = folder.name
        write_lits(Path(folder.name), 1)
        write_lits(Path(folder.name), 12)
        super().setUpClass()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """LiTS, BTCV with placeholders and one's own, in one dataset; its parent has their files."""
    root = tmp_path_factory.mktemp("pairs")
    hu = {
        "volume-2": write_lits(root / "lits", 2)[0],
        "img0027": write_btcv(root / "btcv", 27, PLACEHOLDER)[0],
        "own-a": write_pair(root / "own/images/a.nii.gz", root / "own/labels/a.nii.gz", 5)[0],
    }
    return root, folders(root), hu, build(root)


def folders(root):
    return [root / name for name in ("lits", "btcv", "own")]


def build(root, **options):
    options = {"label_map": LabelMap((1, 2), (2,))} | options
    return build_dataset("lits", folders(root), root / "data", options=PairOptions(**options))


def test_patients_of_all_folders_come_back_as_they_were(built):
    root, _, hu, summary = built
    builder = reader.open_dataset("lits", root / "data")
    for name, voxels in hu.items():
        volume, reference = reader.read_volume(builder, name)
        np.testing.assert_array_equal(volume.hu, voxels)
        assert reference.geometry.spacing_known is (name != "img0027")
        assert reference.geometry.matches(PLACEHOLDER if name == "img0027" else SPACED)
    found = reader.contents(builder, ["img0027", "volume-2"])  # a sum of splits
    assert {name: len(each) for name, each in found.items()} == {"img0027": 4, "volume-2": 4}
    known = {name: each.tumors_known for name, each in summary.patients.items()}
    assert known == {"img0027": False, "own-a": True, "volume-2": True}
    assert "not annotated" in format_summary(summary)


def test_other_files_or_another_meaning_of_labels_are_refused(built):
    root, *_ = built
    assert build(root).reused
    with pytest.raises(InputError, match=r"lits was prepared from other files \(changed: own-a\)"):
        build(root, label_map=LabelMap((1, 2)))
    with pytest.raises(InputError, match=r"removed: img0027, own-a"):
        build_dataset("lits", root / "lits", root / "data")
    with pytest.raises(ConfigError, match="manual_dir: expected one for ircadb, found 3"):
        build_dataset("ircadb", folders(root), root / "data")


def test_the_command_takes_folders_and_a_label_map(built):
    root, given, _, summary = built
    flags = [f"--manual_dir={each}" for each in given]
    result = run(
        "build_dataset",
        "--dataset=lits",
        "--label_map=liver=1+2,tumor=2",
        f"--data_dir={root / 'data'}",
        *flags,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert f"reused, inputs unchanged: lits, fingerprint {summary.fingerprint[:12]}" in (
        result.stdout
    )


def test_summaries_prepared_before_tumours_could_be_unknown_still_load():
    assert PatientSummary(**{"fingerprint": "a", "tumor_voxels": 3}).tumors_known
