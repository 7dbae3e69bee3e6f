"""Export of 3D-IRCADb-01 into the thesis' layout, and back."""

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from liverjax.datasets.ircadb import thesis_export
from liverjax.datasets.ircadb.layout import find_patients, read_patient
from liverjax.datasets.ircadb.thesis_export import export_patient
from liverjax.errors import InputError
from tests.io.dicom.files import (
    below,
    box,
    example_hu,
    pack,
    patient_files,
    series_files,
    write_files,
    zipped,
)

PATIENT = below("3Dircadb1.4", patient_files())
TUMORS = (box(3, 4) | box(6, 6)) > 0


def source_of(root, files=PATIENT):
    (source,) = find_patients(write_files(root / "in", files)).values()
    return source


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def times(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def read_back(top):
    (source,) = find_patients(top).values()
    return read_patient(source)


def test_files_are_those_of_the_documented_layout(tmp_path):
    exported = export_patient(source_of(tmp_path), tmp_path / "train")
    found = content(tmp_path / "train")
    places = ("patients/{}", "masks/1.4_liver/{}", "masks/merged_livertumors/{}.jpg")
    names = [f"1.4_image_{index}" for index in range(12)]
    assert sorted(found) == sorted(place.format(name) for place in places for name in names)
    for index, name in enumerate(names):
        assert found[f"patients/{name}"] == PATIENT[f"3Dircadb1.4/PATIENT_DICOM/image_{index}"]
        assert (
            found[f"masks/1.4_liver/{name}"]
            == PATIENT[f"3Dircadb1.4/MASKS_DICOM/liver/image_{index}"]
        )
    assert exported == thesis_export.ExportedPatient(
        number=4,
        slices=12,
        liver_voxels=np.count_nonzero(box(2, 9)),
        liver_rewritten=0,
        tumor_slices=3,
        tumor_voxels=np.count_nonzero(TUMORS),
        jpeg_changed=0,
        written=36,
    )


def test_round_trip_gives_the_same_voxels(tmp_path):
    source = source_of(tmp_path)
    export_patient(source, tmp_path / "train")
    before, after = read_patient(source), read_back(tmp_path / "train")
    np.testing.assert_array_equal(after.volume.hu, before.volume.hu)
    np.testing.assert_array_equal(after.volume.geometry.affine, before.volume.geometry.affine)
    np.testing.assert_array_equal(after.labels, before.labels)


def test_round_trip_of_ragged_tumours(tmp_path, rng):
    # Noise is the worst that JPEG can be given; at this quality nothing crosses the threshold.
    liver = np.zeros((3, 64, 64), dtype=np.uint8)
    liver[:, 8:56, 8:56] = 255
    tumors = [(rng.random(liver.shape) < share) * np.uint8(255) for share in (0.1, 0.4)]
    masks = {"liver": liver, "livertumor1": tumors[0], "livertumor2": tumors[1]}
    files = below("PATIENT_DICOM", series_files(example_hu(shape=liver.shape)))
    for name, mask in masks.items():
        files |= below(f"MASKS_DICOM/{name}", series_files(mask, name))
    source = source_of(tmp_path, below("3Dircadb1.4", files))
    exported = export_patient(source, tmp_path / "train")
    assert exported.jpeg_changed == 0
    # Tumour outside the liver is exported as well: the notebooks merge whole masks.
    assert exported.tumor_voxels == np.count_nonzero(tumors[0] | tumors[1])
    before, after = read_patient(source), read_back(tmp_path / "train")
    np.testing.assert_array_equal(after.labels, before.labels)
    assert (after.labels == 2).any()


def as_the_notebooks_read(top, name):
    """A slice's liver target and tumour target, by the recipe of the notebooks."""
    liver = pydicom.dcmread(top / "masks/1.4_liver" / name).pixel_array
    tumor = np.asarray(Image.open(top / f"masks/merged_livertumors/{name}.jpg").convert("L"))
    return np.clip(liver / 255, 0, 1), tumor > 100


def test_masks_of_one_become_255_for_the_notebooks(tmp_path):
    masks = {"liver": box(2, 9, 1), "livertumor": box(3, 4, 1)}
    source = source_of(tmp_path, below("3Dircadb1.4", patient_files(masks)))
    exported = export_patient(source, tmp_path / "train")
    assert exported.liver_rewritten == 8
    for index in range(12):
        liver, tumor = as_the_notebooks_read(tmp_path / "train", f"1.4_image_{index}")
        np.testing.assert_array_equal(liver, masks["liver"][index])
        np.testing.assert_array_equal(tumor, masks["livertumor"][index])
    np.testing.assert_array_equal(read_back(tmp_path / "train").labels, read_patient(source).labels)


def test_no_tumour_is_black(tmp_path):
    files = below("3Dircadb1.5", patient_files({"liver": box(2, 9)}))
    exported = export_patient(source_of(tmp_path, files), tmp_path / "train")
    assert (exported.tumor_slices, exported.tumor_voxels) == (0, 0)
    for path in (tmp_path / "train/masks/merged_livertumors").iterdir():
        assert not np.asarray(Image.open(path)).any()
    assert not (read_back(tmp_path / "train").labels == 2).any()


def test_tumour_of_patient_3_comes_from_the_labelled_image(tmp_path):
    labelled = np.where(box(3, 4), 329, 0).astype(np.int16)
    files = patient_files({"liver": box(2, 9)}) | below(
        "LABELLED_DICOM", series_files(labelled, "labelled")
    )
    exported = export_patient(source_of(tmp_path, below("3Dircadb1.3", files)), tmp_path / "train")
    assert exported.tumor_voxels == np.count_nonzero(box(3, 4))
    np.testing.assert_array_equal(read_back(tmp_path / "train").labels == 2, box(3, 4) > 0)


def test_packed_patients_give_the_same_files(tmp_path):
    packed = below("3Dircadb1.4", pack(patient_files(), "PATIENT_DICOM", "MASKS_DICOM"))
    archive = {"3Dircadb1.4.zip": zipped(packed)}
    export_patient(source_of(tmp_path / "plain"), tmp_path / "plain/train")
    export_patient(source_of(tmp_path / "packed", archive), tmp_path / "packed/train")
    assert content(tmp_path / "plain/train") == content(tmp_path / "packed/train")


def test_a_second_export_leaves_what_is_there(tmp_path):
    source, top = source_of(tmp_path), tmp_path / "train"
    export_patient(source, top)
    # What the notebooks add, and another encoder's bytes for the same mask, do not count.
    (top / "patients/1.4_image_100_augref").write_bytes(b"copy")
    jpeg = top / "masks/merged_livertumors/1.4_image_3.jpg"
    Image.open(io.BytesIO(jpeg.read_bytes())).save(jpeg, "JPEG", quality=99)
    before = times(top)
    assert export_patient(source, top).written == 0
    assert times(top) == before


def test_an_interrupted_export_is_refused_by_readers_and_completed(tmp_path, monkeypatch):
    source, top = source_of(tmp_path), tmp_path / "train"
    export_patient(source, tmp_path / "whole")
    replace = Path.replace
    moved = []

    def stops(path, target):
        if len(moved) == 30:
            raise KeyboardInterrupt
        moved.append(target)
        return replace(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", stops)
        with pytest.raises(KeyboardInterrupt):
            export_patient(source, top)
    assert len(list((top / "patients").iterdir())) == 6
    with pytest.raises(InputError, match="too many"):
        read_back(top)
    # As a process that was killed leaves it.
    write_files(top / ".unfinished-1.4", {"patients/1.4_image_9": b"half"})
    assert export_patient(source, top).written == 6
    assert content(top) == content(tmp_path / "whole")
    assert not list(top.glob(".*"))


@pytest.mark.parametrize(
    "path",
    [
        "patients/1.4_image_11",
        "masks/1.4_liver/1.4_image_0",
        "masks/merged_livertumors/1.4_image_3.jpg",
        "patients/1.4_image_12",
    ],
)
def test_other_content_is_refused_and_nothing_is_written(tmp_path, path):
    source, top = source_of(tmp_path), tmp_path / "train"
    black = io.BytesIO()
    Image.new("L", (5, 6)).save(black, "JPEG")
    write_files(top, {path: black.getvalue()})
    with pytest.raises(InputError, match=rf"train/{path}: there already, and not what patient 4"):
        export_patient(source, top)
    assert list(content(top)) == [path]
    assert not list(top.glob(".*"))


def test_a_damaged_patient_writes_nothing(tmp_path):
    path = "3Dircadb1.4/MASKS_DICOM/liver/image_7"
    source = source_of(tmp_path, PATIENT | {path: PATIENT[path][:-4]})
    with pytest.raises(InputError, match="liver/image_7"):
        export_patient(source, tmp_path / "train")
    assert not (tmp_path / "train").exists()


def test_a_full_disk_writes_nothing(tmp_path, monkeypatch):
    source, opened, new = source_of(tmp_path), Path.open, []

    def fills(path, mode="r", *args, **options):
        if mode == "xb":
            new.append(path)
            if len(new) == 20:
                raise OSError(28, "No space left on device")
        return opened(path, mode, *args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", fills)
        with pytest.raises(OSError, match="No space left"):
            export_patient(source, tmp_path / "train")
    assert list((tmp_path / "train").iterdir()) == []


def test_a_patient_in_the_layout_is_not_exported_again(tmp_path):
    export_patient(source_of(tmp_path), tmp_path / "train")
    source = find_patients(tmp_path / "train")[4]
    with pytest.raises(InputError, match="train: patient 4 is laid out for the notebooks already"):
        export_patient(source, tmp_path / "other")


def test_patient_17_comes_back_as_it_was(shared_data, tmp_path):
    source = find_patients(shared_data / "ircadb")[17]
    exported = export_patient(source, tmp_path / "train")
    assert (exported.slices, exported.tumor_voxels) == (119, 185_990)
    assert (exported.liver_rewritten, exported.jpeg_changed) == (0, 0)
    before, after = read_patient(source), read_back(tmp_path / "train")
    np.testing.assert_array_equal(after.volume.hu, before.volume.hu)
    np.testing.assert_array_equal(after.labels, before.labels)
