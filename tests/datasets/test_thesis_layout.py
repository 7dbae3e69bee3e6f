"""The thesis' layout as a source of patients."""

import io
import logging
from pathlib import PurePosixPath

import numpy as np
import pytest
from PIL import Image

from liverjax.datasets.ircadb.layout import (
    Layout,
    PatientSource,
    find_patients,
    fingerprint,
    read_patient,
)
from liverjax.errors import InputError
from liverjax.input_pipeline import reader
from liverjax.workflows.build_dataset import build_dataset
from tests.io.dicom.files import (
    SHAPE,
    below,
    box,
    example_hu,
    pack,
    patient_files,
    series_files,
    write_files,
    zipped,
)

LIVER, TUMOR = box(2, 9), box(3, 4)
EXPECTED = np.where(TUMOR > 0, 2, LIVER > 0)


def jpeg(pixels):
    """A grey JPEG file as Pillow writes it by default, like the notebooks' own."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


def renamed(number, files, suffix=""):
    return {f"1.{number}_{name}{suffix}": data for name, data in files.items()}


def thesis_files(number=4, liver=LIVER, tumor=TUMOR, seed=0):
    """A patient's files below `train`, written without the exporter."""
    tumors = {f"image_{index}": jpeg(plane) for index, plane in enumerate(tumor)}
    return (
        below("patients", renamed(number, series_files(example_hu(seed))))
        | below(f"masks/1.{number}_liver", renamed(number, series_files(liver, "liver")))
        | below("masks/merged_livertumors", renamed(number, tumors, ".jpg"))
    )


FILES = thesis_files()
JPEG = "masks/merged_livertumors/1.4_image_3.jpg"


def copies(number=4, first=100):
    """Augmented files of a patient: a flip and two rotations, in all three folders."""
    names = [f"1.{number}_image_{first}_augref"] + [
        f"1.{number}_image_{first + count}_augrot" for count in (1, 2)
    ]
    folders = ("patients", f"masks/1.{number}_liver", "masks/merged_livertumors")
    return {
        f"{folder}/{name}{'.jpg' if 'merged' in folder else ''}": b"never opened"
        for folder in folders
        for name in names
    }


def read_only(root):
    (source,) = find_patients(root).values()
    return read_patient(source)


STATES = {
    "train": below("train", FILES),
    "its content": FILES,
    "zip": {"train.zip": zipped(below("train", FILES))},
    "zip without folder": {"Train.zip": zipped(FILES)},
    "zip of another name": {"my 3d-ircadb copy.zip": zipped(below("train", FILES))},
    "sections packed": below("train", pack(FILES, "patients", "masks")),
    "packed and extracted": {"train.zip": zipped(below("train", FILES))} | below("train", FILES),
    "augmented": below("train", FILES | copies()),
    "strewn": below("a/b/train", FILES)
    | {
        "a/b/train/.DS_Store": b"",
        "a/b/train/patients/._1.4_image_3": b"",
        "a/b/train/patients/Thumbs.db": b"",
        "a/b/train/patients/notes.txt": b"",
        "a/b/train/masks/1.4_bone/1.4_image_3": b"",
        "a/b/train/masks/1.4_liver/1.5_image_3": b"of another patient",
        "other/patients/001.png": b"",
        "other/masks/001.png": b"",
        "lits.zip": b"not for us",
    },
}


@pytest.mark.parametrize("files", STATES.values(), ids=STATES.keys())
def test_every_packing_is_read_alike(tmp_path, files):
    (source,) = find_patients(write_files(tmp_path / "in", files)).values()
    assert (source.number, source.layout) == (4, Layout.THESIS)
    patient = read_patient(source)
    np.testing.assert_array_equal(patient.volume.hu, example_hu())
    np.testing.assert_array_equal(patient.labels, EXPECTED)
    plain = find_patients(write_files(tmp_path / "plain", FILES))[4]
    assert fingerprint(source) == fingerprint(plain)


def test_root_may_be_an_archive_of_any_name(tmp_path):
    write_files(tmp_path, {"thesis.zip": zipped(below("train", FILES))})
    np.testing.assert_array_equal(read_only(tmp_path / "thesis.zip").labels, EXPECTED)


def test_patients_are_told_apart(tmp_path):
    other = thesis_files(17, liver=box(1, 5), tumor=np.zeros_like(TUMOR), seed=1)
    sources = find_patients(write_files(tmp_path / "in", FILES | other))
    assert list(sources) == [4, 17]
    patients = {number: read_patient(source) for number, source in sources.items()}
    np.testing.assert_array_equal(patients[4].labels, EXPECTED)
    np.testing.assert_array_equal(patients[17].labels, box(1, 5) > 0)
    np.testing.assert_array_equal(patients[17].volume.hu, example_hu(1))
    assert fingerprint(sources[4]) != fingerprint(sources[17])


def test_both_layouts_may_lie_in_one_folder(tmp_path):
    files = below("train", FILES) | below("3Dircadb1.17", patient_files())
    sources = find_patients(write_files(tmp_path / "in", files))
    assert [source.layout for source in sources.values()] == [Layout.THESIS, Layout.ARCHIVE]


def test_a_patient_in_both_layouts_is_refused(tmp_path):
    files = below("train", FILES) | {"3Dircadb1.4.zip": zipped(patient_files())}
    root = write_files(tmp_path / "in", files)
    with pytest.raises(
        InputError, match=r"in/3Dircadb1\.4\.zip and in/train are both patient 4 .*keep one"
    ):
        find_patients(root)


def test_augmented_copies_are_told_apart_counted_and_left_out(tmp_path, caplog):
    files = FILES | copies(4) | thesis_files(17, seed=1) | copies(17, 103)
    with caplog.at_level(logging.INFO, "liverjax"):
        sources = find_patients(write_files(tmp_path / "train", files))
    assert list(sources) == [4, 17]
    (line,) = caplog.messages
    assert "train: left out 6 augmented copies of slices (2 _augref, 4 _augrot)" in line
    assert read_patient(sources[4]).volume.hu.shape == SHAPE


def test_no_copies_no_line(tmp_path, caplog):
    with caplog.at_level(logging.INFO, "liverjax"):
        find_patients(write_files(tmp_path / "train", FILES))
    assert caplog.messages == []


def test_fingerprint_follows_each_part(tmp_path):
    plain = fingerprint(find_patients(write_files(tmp_path / "plain", FILES))[4])
    for path in ("patients/1.4_image_3", "masks/1.4_liver/1.4_image_3", JPEG):
        changed = write_files(tmp_path / path, FILES | {path: FILES[path][:-1] + b"?"})
        assert fingerprint(find_patients(changed)[4]) != plain


def test_masks_may_be_one_and_tumour_outside_the_liver_is_dropped(tmp_path):
    files = thesis_files(liver=box(2, 5, 1), tumor=box(4, 8))
    labels = read_only(write_files(tmp_path / "train", files)).labels
    np.testing.assert_array_equal(labels, np.where(box(4, 5), 2, np.where(box(2, 3), 1, 0)))


def test_patient_3_without_its_tumour_is_left_out(tmp_path, caplog):
    blank = thesis_files(3, tumor=np.zeros_like(TUMOR))
    folder = write_files(tmp_path / "blank", blank)
    with pytest.raises(InputError, match="no patient of 3D-IRCADb-01 here"):
        find_patients(folder)
    write_files(folder, thesis_files(4))
    caplog.clear()
    assert list(find_patients(folder)) == [4]
    (warning,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert "left out patient 3: its tumour" in warning
    assert "experiments.export_thesis" in warning
    unchecked = PatientSource(3, folder, PurePosixPath(folder.name), Layout.THESIS)
    with pytest.raises(InputError, match=r"expected the tumour of patient 3, .*LABELLED_DICOM"):
        read_patient(unchecked)
    patient = read_only(write_files(tmp_path / "train", thesis_files(3)))
    np.testing.assert_array_equal(patient.labels, EXPECTED)


def without(prefix):
    return {path: data for path, data in FILES.items() if not path.startswith(prefix)}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (without("masks/1.4_liver/"), r"masks: expected 1\.4_liver .*found merged_livertumors"),
        (without("masks/merged"), r"masks: expected merged_livertumors .*found 1\.4_liver"),
        (without("patients/1.4_image_5"), r"patients/1\.4_image_5: missing, between 1\.4_image_0"),
        (
            without("masks/1.4_liver/1.4_image_5"),
            r"masks/1\.4_liver/1\.4_image_5: missing, between",
        ),
        (without("patients/1.4_image_11"), r"liver: .*1 too many \(1\.4_image_11\)"),
        (
            without("masks/1.4_liver/1.4_image_11"),
            r"liver: .*found 11 files: 1 missing \(1\.4_image_11\)",
        ),
        (
            {p: d for p, d in FILES.items() if not p.startswith("masks/1.4_liver/")}
            | {"masks/1.4_liver/1.5_image_0": b""},
            r"masks/1\.4_liver: expected 1\.4_image_0 and so on, found no slice of patient 4",
        ),
        (without(JPEG), r"merged_livertumors/1\.4_image_3\.jpg: missing, between"),
        (
            without("masks/merged_livertumors/1.4_image_11"),
            r"merged_livertumors/1\.4_image_11\.jpg: missing; a slice without tumour has a black",
        ),
        (
            FILES | {"masks/merged_livertumors/1.4_image_12.jpg": FILES[JPEG]},
            r"1\.4_image_12\.jpg: expected a slice 1\.4_image_12 in .*patients, found none",
        ),
        (FILES | {JPEG: FILES[JPEG][:200]}, r"1\.4_image_3\.jpg: not a complete JPEG file"),
        (FILES | {JPEG: b""}, r"1\.4_image_3\.jpg: expected a JPEG file"),
        (
            FILES | {JPEG: jpeg(np.zeros((5, 6), np.uint8))},
            r"1\.4_image_3\.jpg: expected 6 x 5 pixels as in the CT, found 5 x 6",
        ),
        (
            FILES | {"patients/1.4_image_11": b"text" * 50},
            "patients: expected 12 CT slices, as many as files, found 11",
        ),
        (FILES | {"patients/1.4_image_2": b""}, r"patients/1\.4_image_2: not a DICOM file"),
        (
            FILES | {"patients/1.4_image_2": FILES["patients/1.4_image_2"][:-4]},
            r"patients/1\.4_image_2: PixelData",
        ),
        (
            FILES | {"masks/1.4_liver/1.4_image_2": FILES["masks/1.4_liver/1.4_image_3"]},
            r"1\.4_liver/1\.4_image_2: ImagePositionPatient",
        ),
    ],
)
def test_incomplete_patients_are_refused_by_name(tmp_path, files, message):
    sources = find_patients(write_files(tmp_path / "train", files))
    with pytest.raises(InputError, match=message):
        read_patient(sources[4])


@pytest.mark.parametrize(
    "name",
    [
        "1.4_image_x",
        "1.4_image_3 (2)",
        "1.4_image_3.dcm",
        "1.04_image_3",
        "1.4_image_3_aug",
        "1.4_image_-3",
    ],
)
@pytest.mark.parametrize("folder", ["patients", "masks/1.4_liver", "masks/merged_livertumors"])
def test_a_name_that_only_begins_as_a_slice_is_refused(tmp_path, folder, name):
    root = write_files(tmp_path / "train", FILES | {f"{folder}/{name}": b""})
    with pytest.raises(InputError, match=f"train/{folder}/.*: expected a name such as 1.4_image"):
        read_only(root)


def test_one_slice_under_two_names_is_refused(tmp_path):
    data = FILES["patients/1.4_image_3"]
    root = write_files(tmp_path / "train", FILES | {"patients/1.4_image_03": data})
    with pytest.raises(InputError, match=r"patients/1\.4_image_3: the same slice as 1\.4_image_03"):
        find_patients(root)


@pytest.mark.parametrize("files", [{"patients/x": b"", "masks/x": b""}, without("masks")])
def test_half_a_layout_is_none(tmp_path, files):
    with pytest.raises(InputError, match=r"no patient of 3D-IRCADb-01 here; .*or a folder train"):
        find_patients(write_files(tmp_path / "in", files))


def test_builder_reads_the_layout_and_tells_who_is_missing(tmp_path):
    files = FILES | copies() | thesis_files(17, seed=1)
    root = write_files(tmp_path / "in", below("train", files))
    built = build_dataset("ircadb", root, tmp_path / "data")
    assert list(built.patients) == ["patient04", "patient17"]
    assert len(built.missing) == 18
    assert built.patients["patient04"].tumor_voxels == (TUMOR > 0).sum()
    builder = reader.open_dataset("ircadb", tmp_path / "data")
    volume, segmentation = reader.read_volume(builder, "patient04")
    np.testing.assert_array_equal(volume.hu, example_hu())
    np.testing.assert_array_equal(segmentation.labels, EXPECTED)
    assert build_dataset("ircadb", root, tmp_path / "data").reused
