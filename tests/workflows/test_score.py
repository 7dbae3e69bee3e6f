"""Scoring of NIfTI files, by the function and by the commands `score` and `compare`."""

import json

import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Image

from liverjax.errors import InputError
from liverjax.evaluation.score import score_case
from liverjax.evaluation.tables import read_per_case
from liverjax.io.nifti import write_segmentation
from liverjax.volume import Geometry, Segmentation
from liverjax.workflows.report import read_evaluation
from liverjax.workflows.score import find_cases, score
from tests.commands import run
from tests.evaluation.cases import GRID, labels

PREDICTIONS = {
    "one": labels((0, 16), (2, 6)),
    "two, or 'three'": labels((0, 14)),
    "four": labels((0, 16), (4, 7)),
}
REFERENCES = {
    "one": labels((0, 16), (2, 5)),
    "two, or 'three'": labels((0, 16), (3, 5)),
    "four": labels((0, 16)),
}


def write(folder, arrays, suffix=".nii.gz", geometry=GRID):
    folder.mkdir(exist_ok=True)
    for name, array in arrays.items():
        write_segmentation(folder / f"{name}{suffix}", Segmentation(array, geometry))
    return folder


@pytest.fixture
def pairs(tmp_path):
    """Folders of predictions and of references, with other suffixes."""
    predictions = write(tmp_path / "predictions", PREDICTIONS, ".nii")
    return predictions, write(tmp_path / "references", REFERENCES)


def test_the_commands_score_and_compare(pairs, tmp_path):
    predictions, references = pairs
    output = tmp_path / "out"
    flags = [f"--predictions={predictions}", f"--references={references}", f"--output={output}"]
    done = run("score", *flags)
    assert done.returncode == 0, done.stderr
    expected = {
        name: score_case(name, Segmentation(PREDICTIONS[name], GRID), Segmentation(array, GRID))
        for name, array in REFERENCES.items()
    }
    found = read_evaluation(output).cases
    assert [each.case for each in found] == sorted(expected)
    for each in found:
        assert each.liver.confusion == expected[each.case].liver.confusion
        assert each.tumor.dice == expected[each.case].tumor.dice
        assert each.tumor.hd95 == pytest.approx(expected[each.case].tumor.hd95)
    dice = json.loads((output / "aggregate.json").read_text())["tumor"]["dice"]
    assert f"{dice['mean']:.3f}" in done.stdout
    assert "2 of 3" in done.stdout
    assert str(output / "index.html") in done.stdout
    assert len(list((output / "figures").glob("panels_*.png"))) == 3

    table = output / "per_case.csv"
    result = tmp_path / "made" / "c.json"
    flags = [f"--first={table}", f"--second={table}", "--columns=liver_dice,tumor_dice"]
    done = run("compare", *flags, f"--output={result}")
    assert done.returncode == 0, done.stderr
    entries = json.loads(result.read_text())["columns"]
    assert [(e["column"], e["pairs"], e["neither"], e["p"]) for e in entries] == [
        ("liver_dice", 3, 0, 1.0),
        ("tumor_dice", 2, 1, 1.0),
    ]
    assert "liver_dice" in done.stdout.splitlines()[1]
    (tmp_path / "other.csv").write_text("case,liver_dice\nfour,1\n")
    done = run("compare", f"--first={table}", f"--second={tmp_path / 'other.csv'}")
    assert done.returncode == 1
    assert "one, two, or 'three'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_without_partner_is_refused_on_either_side(pairs, tmp_path):
    predictions, references = pairs
    (predictions / "four.nii").unlink()
    write(predictions, {"five": labels(), "six": labels()}, ".nii")
    with pytest.raises(InputError) as caught:
        score(predictions, references, tmp_path / "out")
    assert "has no prediction for four.nii.gz" in str(caught.value)
    assert "has no reference for five.nii, six.nii" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_another_grid_is_refused_by_the_names_of_the_files(pairs, tmp_path):
    predictions, references = pairs
    moved = Geometry.from_axes((0.0, 0.0, 50.0), (2.0, 1.0, 1.0))
    write(predictions, {"four": labels()}, ".nii", moved)
    with pytest.raises(InputError, match=r"four\.nii and .*four\.nii\.gz are not on the same grid"):
        score(predictions, references, tmp_path / "out")
    assert list((tmp_path / "out").glob("*")) == []


def test_images_are_drawn_on_and_must_be_there(pairs, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ GRID.affine[:, [2, 1, 0, 3]]
    for name in ("one", "four", "of nobody"):
        hu = np.full((20, 6, 3), 40, np.int16)
        Nifti1Image(hu, affine).to_filename(images / f"{name}.nii.gz")
    with pytest.raises(InputError, match=r"images has no CT for two, or 'three'\.nii\.gz"):
        score(*pairs, tmp_path / "out", images=images)
    for folder, suffix in zip(pairs, (".nii", ".nii.gz"), strict=True):
        (folder / f"two, or 'three'{suffix}").unlink()
    scores, _ = score(*pairs, tmp_path / "out", images=images)
    assert [each.case for each in scores] == ["four", "one"]
    other = np.full((20, 6, 4), 40, np.int16)
    Nifti1Image(other, affine).to_filename(images / "one.nii.gz")
    with pytest.raises(InputError, match=r"images/one\.nii\.gz and"):
        score(*pairs, tmp_path / "out", images=images)


def test_unknown_voxel_sizes_can_be_said_to_be_real(tmp_path):
    unit = Geometry.from_axes((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    folders = [
        write(tmp_path / side, {"one": labels((0, 16), (2, 5))}, geometry=unit) for side in "pr"
    ]
    (found,), _ = score(*folders, tmp_path / "out")
    assert found.voxel_ml is None
    assert read_per_case(tmp_path / "out" / "per_case.csv").rows["one"][3] is None
    (found,), _ = score(*folders, tmp_path / "out", spacing_known=True)
    assert found.voxel_ml == pytest.approx(0.001)


def test_names_of_lits_are_matched_by_their_number(tmp_path):
    predictions = write(tmp_path / "p", {"test-segmentation-5": labels()}, ".nii")
    references = write(tmp_path / "r", {"segmentation-5": labels()}, ".nii")
    (found,), _ = score(predictions, references, tmp_path / "out")
    assert found.case == "segmentation-5"
    # A folder of LiTS as it is holds both.
    write(references, {"volume-5": labels(), "other_0000": labels()}, ".nii")
    names = {role: find_cases(references, role) for role in ("segmentation", "volume")}
    assert {role: found["5"].name for role, found in names.items()} == {
        "segmentation": "segmentation-5.nii",
        "volume": "volume-5.nii",
    }
    assert set(names["volume"]) == {"5", "other"}
    assert set(names["segmentation"]) == {"5", "other_0000"}
    write(references, {"segmentation-5": labels()}, ".nii.gz")
    with pytest.raises(InputError, match=r"found segmentation-5\.nii and segmentation-5\.nii\.gz"):
        find_cases(references, "segmentation")


def test_folders_without_cases_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        find_cases(tmp_path / "nowhere", "volume")
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(InputError, match=r"end in \.nii or \.nii\.gz"):
        find_cases(tmp_path, "segmentation")
    write(tmp_path, {"a": labels()})
    write(tmp_path, {"a": labels()}, ".nii")
    with pytest.raises(InputError, match=r"found a\.nii and a\.nii\.gz"):
        find_cases(tmp_path, "segmentation")
