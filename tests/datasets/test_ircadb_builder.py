import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow_datasets as tfds

from liverjax.datasets.content import describe
from liverjax.datasets.ircadb import ircadb_dataset_builder
from liverjax.errors import InputError, SplitError
from liverjax.input_pipeline import reader
from tests.datasets.tiny_archive import tiny_patient, write_patient

ROOT = Path(__file__).parents[2]


class IrcadbTest(tfds.testing.DatasetBuilderTestCase):
    """TFDS' own checks: registration, metadata, tags, and examples that fit the features."""

    DATASET_CLASS = ircadb_dataset_builder.Builder
    SPLITS = {"patient04": 5, "patient17": 7}

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.EXAMPLE_DIR = folder.name
        write_patient(Path(folder.name), 4)
        write_patient(Path(folder.name), 17, depth=7)
        super().setUpClass()


@pytest.fixture
def manual_dir(tmp_path):
    write_patient(tmp_path / "manual", 4)
    write_patient(tmp_path / "manual", 17)
    return tmp_path / "manual"


def prepare(manual_dir):
    return ircadb_dataset_builder.prepare(manual_dir, manual_dir.parent / "data")


def files(builder):
    """Name and time of writing of every file of the prepared dataset."""
    return {path.name: path.stat().st_mtime_ns for path in Path(builder.data_dir).iterdir()}


def test_metadata_tells_what_is_there_and_what_is_missing(manual_dir):
    metadata = prepare(manual_dir).info.metadata
    assert list(metadata["patients"]) == ["patient04", "patient17"]
    assert len(metadata["missing"]) == 18
    assert "patient04" not in metadata["missing"]


def test_contents_tell_what_the_slices_of_each_patient_show(manual_dir):
    builder = prepare(manual_dir)
    found = reader.contents(builder, ["patient17", "patient04"])
    assert list(found) == ["patient17", "patient04"]
    for number, content in zip((17, 4), found.values(), strict=True):
        expected = describe(tiny_patient(number)[0])
        assert expected.any(axis=1).all()
        np.testing.assert_array_equal(content, expected)
    assert reader.contents(builder, []) == {}
    with pytest.raises(SplitError, match="does not hold patient05"):
        reader.contents(builder, ["patient04", "patient05"])


def test_contents_of_an_earlier_version_say_how_to_get_them(manual_dir):
    info = prepare(manual_dir).info
    features = {name: info.features[name] for name in info.features if name != "content"}
    earlier = SimpleNamespace(
        name="ircadb",
        version="1.0.0",
        info=SimpleNamespace(metadata=info.metadata, features=features),
    )
    with pytest.raises(InputError, match=r"ircadb: version 1\.0\.0 does not tell .* build it anew"):
        reader.contents(earlier, ["patient04"])


def test_equal_inputs_are_reused(manual_dir):
    before = files(prepare(manual_dir))
    assert files(prepare(manual_dir)) == before


def test_changed_inputs_are_refused_and_listed(manual_dir):
    before = files(prepare(manual_dir))
    write_patient(manual_dir, 2)
    (manual_dir / "3Dircadb1.17").rename(manual_dir.parent / "elsewhere")
    image = manual_dir / "3Dircadb1.4/PATIENT_DICOM/image_2"
    data = bytearray(image.read_bytes())
    data[-1] ^= 1
    image.write_bytes(data)
    with pytest.raises(
        InputError,
        match=r"added: patient02; removed: patient17; changed: patient04.*--rebuild.*--overwrite",
    ):
        prepare(manual_dir)
    builder = ircadb_dataset_builder.Builder(data_dir=manual_dir.parent / "data")
    assert files(builder) == before


def test_the_folder_that_tfds_reads_by_default_is_compared_too(tmp_path):
    write_patient(tmp_path / "downloads/manual", 4)
    ircadb_dataset_builder.Builder(data_dir=tmp_path).download_and_prepare()
    ircadb_dataset_builder.Builder(data_dir=tmp_path).download_and_prepare()
    write_patient(tmp_path / "downloads/manual", 17)
    with pytest.raises(InputError, match="added: patient17"):
        ircadb_dataset_builder.Builder(data_dir=tmp_path).download_and_prepare()


def test_loading_without_inputs_compares_nothing(manual_dir):
    before = files(prepare(manual_dir))
    builder = ircadb_dataset_builder.Builder(data_dir=manual_dir.parent / "data")
    builder.download_and_prepare()
    assert files(builder) == before


def test_a_truncated_patient_leaves_nothing_behind(manual_dir):
    image = manual_dir / "3Dircadb1.17/PATIENT_DICOM/image_3"
    image.write_bytes(image.read_bytes()[:-40])
    with pytest.raises(InputError, match="image_3"):
        prepare(manual_dir)
    data_dir = manual_dir.parent / "data"
    assert not [path for path in data_dir.rglob("*") if path.is_file()]
    with pytest.raises(InputError, match="no prepared dataset"):
        reader.open_dataset("ircadb", data_dir)


@pytest.mark.parametrize("exists", [False, True])
def test_no_inputs_says_where_to_get_them(tmp_path, exists):
    if exists:
        (tmp_path / "manual").mkdir()
    with pytest.raises(InputError, match=r"no folder, or an empty one\. Fetch 3D-IRCADb-01 from"):
        prepare(tmp_path / "manual")


def test_tfds_build_on_the_command_line(manual_dir):
    # `tfds` itself also imports what its other commands need (apache_beam, mlcroissant).
    code = (
        "from absl import app\n"
        "from tensorflow_datasets.scripts.cli import build, cli_utils\n"
        "parser = cli_utils.make_flags_parser(build.Args, description='')\n"
        "app.run(lambda args: args.execute(), flags_parser=parser)"
    )
    data_dir = manual_dir.parent / "data"
    result = subprocess.run(
        [sys.executable, "-c", code, f"--manual_dir={manual_dir}", f"--data_dir={data_dir}"],
        cwd=ROOT / "liverjax/datasets/ircadb",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    found = reader.summaries(reader.open_dataset("ircadb", data_dir))
    assert {name: summary.slices for name, summary in found.items()} == {
        "patient04": 5,
        "patient17": 5,
    }
