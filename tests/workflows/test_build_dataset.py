import subprocess
import sys
from pathlib import Path

import pytest

from liverjax.errors import ConfigError, InputError
from liverjax.input_pipeline import reader
from liverjax.workflows.build_dataset import build_dataset, format_summary
from tests.datasets.tiny_archive import write_patient

ROOT = Path(__file__).parents[2]
SHARED = ROOT / "../shared/data/ircadb"


@pytest.fixture
def manual_dir(tmp_path):
    write_patient(tmp_path / "manual", 4)
    write_patient(tmp_path / "manual", 17, depth=7)
    return tmp_path / "manual"


def test_summary_of_what_was_built_and_reused(manual_dir, tmp_path):
    built = build_dataset("ircadb", manual_dir, tmp_path / "data")
    assert not built.reused
    assert (built.total.slices, built.total.liver_slices) == (12, 8)
    assert (built.total.liver_voxels, built.total.tumor_voxels) == (8 * 64, 8)
    assert len(built.missing) == 18
    again = build_dataset("ircadb", manual_dir, tmp_path / "data")
    assert again.reused
    assert again.fingerprint == built.fingerprint
    table = format_summary(again)
    assert "patient17" in table
    assert "missing: patient01, patient02" in table
    assert "reused" in table


def test_rebuild_takes_the_place_of_what_was_there(manual_dir, tmp_path):
    first = build_dataset("ircadb", manual_dir, tmp_path / "data")
    write_patient(manual_dir, 2)
    with pytest.raises(InputError, match="added: patient02"):
        build_dataset("ircadb", manual_dir, tmp_path / "data")
    second = build_dataset("ircadb", manual_dir, tmp_path / "data", rebuild=True)
    assert list(second.patients) == ["patient02", "patient04", "patient17"]
    assert second.fingerprint != first.fingerprint
    builder = reader.open_dataset("ircadb", tmp_path / "data")
    assert reader.read_volume(builder, "patient17")[0].hu.shape == (7, 16, 16)
    assert not list((tmp_path / "data").glob(".rebuild-*"))


def test_a_failed_rebuild_leaves_what_was_there(manual_dir, tmp_path):
    before = build_dataset("ircadb", manual_dir, tmp_path / "data")
    image = manual_dir / "3Dircadb1.17/PATIENT_DICOM/image_3"
    whole = image.read_bytes()
    image.write_bytes(whole[:-40])
    with pytest.raises(InputError, match="image_3"):
        build_dataset("ircadb", manual_dir, tmp_path / "data", rebuild=True)
    assert not list((tmp_path / "data").glob(".rebuild-*"))
    image.write_bytes(whole)
    after = build_dataset("ircadb", manual_dir, tmp_path / "data")
    assert after.reused
    assert after.fingerprint == before.fingerprint


def test_an_unknown_dataset_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="expected one of ircadb, lits, found 'lung'"):
        build_dataset("lung", tmp_path, tmp_path)


def test_importing_the_workflow_needs_no_tensorflow():
    code = (
        "import sys, liverjax.workflows.build_dataset; "
        "sys.exit('tensorflow' in sys.modules or 'tensorflow_datasets' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_the_command_ends_with_one_line_on_an_input_error(tmp_path):
    command = [sys.executable, "-m", "experiments.build_dataset"]
    result = subprocess.run(
        [*command, f"--manual_dir={tmp_path / 'none'}", f"--data_dir={tmp_path / 'data'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.splitlines()[-1].startswith(f"error: {tmp_path / 'none'}: no folder")


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs patient 17 of 3D-IRCADb-01")
def test_patient_17(tmp_path):
    (patient,) = build_dataset("ircadb", SHARED, tmp_path).patients.values()
    assert (patient.slices, patient.height, patient.width) == (119, 512, 512)
    assert (patient.liver_voxels, patient.tumor_voxels) == (2_106_497, 185_990)
