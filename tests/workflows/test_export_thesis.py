"""The export into the thesis' layout as a whole, and its command."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from liverjax.errors import InputError, SplitError
from liverjax.input_pipeline import reader
from liverjax.io.lock import only_user
from liverjax.workflows.build_dataset import build_dataset
from liverjax.workflows.export_thesis import export_thesis, format_summary
from tests.datasets.tiny_archive import write_patient

ROOT = Path(__file__).parents[2]


@pytest.fixture
def manual_dir(tmp_path):
    write_patient(tmp_path / "manual", 4)
    write_patient(tmp_path / "manual", 17, depth=7, side=64)
    return tmp_path / "manual"


def run(*flags):
    return subprocess.run(
        [sys.executable, "-m", "experiments.export_thesis", *map(str, flags)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_archive_to_layout_to_dataset_gives_the_same_voxels(manual_dir, tmp_path):
    export_thesis(manual_dir, tmp_path / "out")
    built = [
        build_dataset("ircadb", folder, tmp_path / "data" / folder.name)
        for folder in (manual_dir, tmp_path / "out")
    ]
    assert built[0].missing == built[1].missing
    for name in ("patient04", "patient17"):
        before, after = (
            reader.read_volume(reader.open_dataset("ircadb", tmp_path / "data" / folder), name)
            for folder in ("manual", "out")
        )
        np.testing.assert_array_equal(after[0].hu, before[0].hu)
        np.testing.assert_array_equal(after[1].labels, before[1].labels)
        assert (after[1].labels == 2).any()
    # Other files, so another dataset.
    with pytest.raises(InputError, match="changed: patient04, patient17"):
        build_dataset("ircadb", tmp_path / "out", tmp_path / "data" / "manual")


def test_two_exports_into_one_folder_do_not_meet(manual_dir, tmp_path):
    (tmp_path / "out/train").mkdir(parents=True)
    with (
        only_user(tmp_path / "out/train"),
        pytest.raises(InputError, match="another process is writing here"),
    ):
        export_thesis(manual_dir, tmp_path / "out")
    assert len(export_thesis(manual_dir, tmp_path / "out")) == 2


def test_chosen_patients_alone_are_exported(manual_dir, tmp_path):
    (first,) = export_thesis(manual_dir, tmp_path / "out", ["patient17"])
    assert (first.number, first.slices, first.written) == (17, 7, 21)
    assert [p.name for p in sorted((tmp_path / "out/train/masks").iterdir())] == [
        "1.17_liver",
        "merged_livertumors",
    ]
    exported = export_thesis(manual_dir, tmp_path / "out")
    assert [p.written for p in exported] == [15, 0]
    table = format_summary(exported, tmp_path / "out")
    assert "patient17" in table
    assert f"in {tmp_path / 'out/train'}: 12 slices" in table


def test_wrong_requests_are_refused_before_anything_is_written(manual_dir, tmp_path):
    with pytest.raises(InputError, match="expected patient05, found patient04, patient17"):
        export_thesis(manual_dir, tmp_path / "out", ["patient04", "patient05"])
    with pytest.raises(SplitError, match="expected a patient such as patient04, found '4'"):
        export_thesis(manual_dir, tmp_path / "out", ["4"])
    for output in (manual_dir, manual_dir / "out"):
        with pytest.raises(InputError, match="give a folder outside of it"):
            export_thesis(manual_dir, output)
    assert not (tmp_path / "out").exists()
    assert not (manual_dir / "train").exists()


def test_command_writes_and_tells(manual_dir, tmp_path):
    flags = [f"--manual_dir={manual_dir}", f"--output={tmp_path / 'out'}"]
    result = run(*flags, "--patients=patient04,patient17")
    assert result.returncode == 0, result.stderr
    header, *rows, last = result.stdout.splitlines()
    assert "changed by JPEG" in header
    assert [row.split()[0] for row in rows] == ["patient04", "patient17"]
    assert last == f"in {tmp_path / 'out/train'}: 12 slices"
    assert (tmp_path / "out/train/masks/1.4_liver/1.4_image_4").is_file()


def test_command_ends_with_one_line_on_an_input_error(manual_dir, tmp_path):
    (tmp_path / "out").write_text("mine")
    result = run(f"--manual_dir={manual_dir}", f"--output={tmp_path / 'out'}")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.splitlines()[-1].startswith(f"error: {tmp_path / 'out/train'}: cannot be")
    assert (tmp_path / "out").read_text() == "mine"
