"""3D-IRCADb-01 in every state of packing."""

import os
from pathlib import Path

import numpy as np
import pytest

from liverjax.datasets.ircadb.layout import find_patients, fingerprint, read_patient
from liverjax.errors import InputError
from tests.io.dicom.files import (
    SPACING,
    below,
    box,
    edited,
    example_hu,
    pack,
    patient_files,
    series_files,
    write_files,
    zipped,
)

PATIENT = patient_files()
SECTIONS = ("PATIENT_DICOM", "MASKS_DICOM")
NAMED = below("3Dircadb1.4", PATIENT)
INNER = below("3Dircadb1.4", pack(PATIENT, *SECTIONS))
EXPECTED = np.minimum(box(2, 9), 1)
EXPECTED[(box(3, 4) | box(6, 6)) > 0] = 2


def doubled(files, *folders):
    """`files` with the given folders wrapped around themselves."""
    return {
        f"{path.split('/')[0]}/{path}" if path.split("/")[0] in folders else path: data
        for path, data in files.items()
    }


STATES = {
    "extracted": NAMED,
    "inner zips": INNER,
    "patient zip": {"3Dircadb1.4.zip": zipped(INNER)},
    "patient zip without folder": {"3Dircadb1.4.zip": zipped(PATIENT)},
    "outer zip": {"3Dircadb1.zip": zipped(below("3Dircadb1", INNER))},
    "outer zip of patient zips": {"3Dircadb1.zip": zipped({"3Dircadb1.4.zip": zipped(INNER)})},
    "outer zip extracted": below("3Dircadb1", INNER),
    "doubled sections": below("3Dircadb1.4", doubled(PATIENT, *SECTIONS)),
    "doubled patient": below("3Dircadb1.4", NAMED),
    "doubled everywhere": below("3Dircadb1.4/3dircadb1.4", pack(doubled(PATIENT, *SECTIONS))),
    "one section packed": below("3Dircadb1.4", pack(PATIENT, "MASKS_DICOM")),
    "packed and extracted": {"3Dircadb1.4.zip": zipped(INNER)} | NAMED,
    "sections packed and extracted": INNER | NAMED,
    "strewn": NAMED
    | {
        "notes.txt": b"",
        ".DS_Store": b"",
        "__MACOSX/3Dircadb1.4/._x": b"",
        "3Dircadb1.4/MASKS_DICOM/liver/.DS_Store": b"",
        "3Dircadb1.4/PATIENT_DICOM/README.txt": b"read me",
        "lits.zip": b"not for us",
        "chaos/3Dircadb1.4.txt": b"",
    },
}


def read_only(root):
    """The one patient below `root`."""
    (source,) = find_patients(root).values()
    return read_patient(source)


@pytest.fixture(scope="module")
def expected_fingerprint(tmp_path_factory):
    root = write_files(tmp_path_factory.mktemp("plain"), NAMED)
    return fingerprint(find_patients(root)[4])


@pytest.mark.parametrize("files", STATES.values(), ids=STATES.keys())
def test_every_packing_is_read_alike(tmp_path, files, expected_fingerprint):
    sources = find_patients(write_files(tmp_path / "in", files))
    assert list(sources) == [4]
    patient = read_patient(sources[4])
    assert patient.number == 4
    np.testing.assert_array_equal(patient.volume.hu, example_hu())
    assert patient.volume.geometry.spacing == pytest.approx(SPACING)
    np.testing.assert_array_equal(patient.labels, EXPECTED)
    assert fingerprint(sources[4]) == expected_fingerprint


@pytest.mark.parametrize(
    ("state", "root"),
    [
        ("extracted", "3Dircadb1.4"),
        ("doubled patient", "3Dircadb1.4"),
        ("patient zip", "3Dircadb1.4.zip"),
        ("outer zip", "3Dircadb1.zip"),
    ],
)
def test_root_may_be_a_patient_or_an_archive(tmp_path, state, root, expected_fingerprint):
    sources = find_patients(write_files(tmp_path / "in", STATES[state]) / root)
    assert fingerprint(sources[4]) == expected_fingerprint
    np.testing.assert_array_equal(read_patient(sources[4]).labels, EXPECTED)


def test_root_may_be_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(write_files(tmp_path / "in", NAMED) / "3Dircadb1.4")
    np.testing.assert_array_equal(read_only(Path(os.curdir)).labels, EXPECTED)


def test_patients_are_found_in_order_without_opening_them(tmp_path):
    names = ["3Dircadb1.10.zip", "3Dircadb1.2.zip", "3DIRCADB1.20/PATIENT_DICOM.zip"]
    root = write_files(tmp_path / "in", dict.fromkeys(names, b"cannot be opened"))
    sources = find_patients(root)
    assert list(sources) == [2, 10, 20]
    with pytest.raises(InputError, match=r"in/3Dircadb1\.2\.zip: not a complete zip archive"):
        read_patient(sources[2])
    with pytest.raises(InputError, match=r"in/3DIRCADB1\.20/PATIENT_DICOM\.zip: not a complete"):
        fingerprint(sources[20])


def test_fingerprint_follows_what_is_read_and_nothing_else(tmp_path, expected_fingerprint):
    def changed(name, files):
        return fingerprint(find_patients(write_files(tmp_path / name, files))[4])

    base = "3Dircadb1.4/MASKS_DICOM"
    other = below(f"{base}/tumor", series_files(box(1, 2), "other"))
    assert changed("other organ", NAMED | other) == expected_fingerprint
    assert changed("mesh", NAMED | {"3Dircadb1.4/MESHES_VTK.zip": b"x"}) == expected_fingerprint
    for part in ("PATIENT_DICOM", "MASKS_DICOM/liver", "MASKS_DICOM/livertumor01"):
        path = f"3Dircadb1.4/{part}/image_3"
        files = NAMED | {path: edited(NAMED[path], StudyID="1")}
        assert changed(part, files) != expected_fingerprint


def test_copies_of_a_patient_that_differ_are_refused(tmp_path):
    other = zipped(below("3Dircadb1.4", patient_files(seed=1)))
    root = write_files(tmp_path / "in", NAMED | {"3Dircadb1.4.zip": other})
    with pytest.raises(
        InputError, match=r"in/3Dircadb1\.4 and in/3Dircadb1\.4\.zip are both patient 4"
    ):
        find_patients(root)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"lits/x": b""}, r"expected 3Dircadb1\.zip, or 3Dircadb1\.N\.zip"),
        (below("patient four", PATIENT), "in/patient four: holds PATIENT_DICOM, but its name"),
    ],
)
def test_nothing_found_says_what_was_expected(tmp_path, files, message):
    with pytest.raises(InputError, match=message):
        find_patients(write_files(tmp_path / "in", files))


def test_absent_root_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        find_patients(tmp_path / "in")


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("livertumor", True),
        ("livertumors", True),
        ("livertumor1", True),
        ("LiverTumor07", True),
        ("tumor", False),
        ("leftsurretumor", False),
        ("rightsurretumor", False),
        ("metastasectomie", False),
        ("liverkyst", False),
        ("liverkyste", False),
        ("livercyst", False),
        ("livertumorbed", False),
    ],
)
def test_only_liver_tumours_are_tumours(tmp_path, name, counts):
    files = patient_files({"Liver": box(2, 9), name: box(3, 4)})
    patient = read_only(write_files(tmp_path / "3Dircadb1.5", files))
    assert (patient.labels == 2).any() == counts
    assert (patient.labels >= 1).sum() == (box(2, 9) > 0).sum()


def test_masks_may_be_one_and_tumour_outside_the_liver_is_dropped(tmp_path):
    files = patient_files({"liver": box(2, 5, 1), "livertumor": box(4, 8, 1)})
    labels = read_only(write_files(tmp_path / "3Dircadb1.5", files)).labels
    np.testing.assert_array_equal(labels, np.where(box(4, 5), 2, np.where(box(2, 3), 1, 0)))


def test_tumour_of_patient_3_is_in_the_labelled_image(tmp_path):
    labelled = np.where(box(3, 4), 329, np.where(box(2, 9), 5, 0)).astype(np.int16)
    files = patient_files({"liver": box(2, 9), "tumor": box(6, 6)})
    with_labels = files | below("LABELLED_DICOM", series_files(labelled, "labelled"))
    packed = pack(with_labels, "LABELLED_DICOM")
    for state, content in {"extracted": with_labels, "packed": packed}.items():
        patient = read_only(write_files(tmp_path / state / "3Dircadb1.3", content))
        np.testing.assert_array_equal(patient.labels == 2, box(3, 4) > 0)
    sources = [find_patients(tmp_path / state)[3] for state in ("extracted", "packed")]
    assert fingerprint(sources[0]) == fingerprint(sources[1])

    without = find_patients(write_files(tmp_path / "without" / "3Dircadb1.3", files))
    for function in (read_patient, fingerprint):
        with pytest.raises(InputError, match=r"3Dircadb1\.3: LABELLED_DICOM is missing"):
            function(without[3])
    blank = below("LABELLED_DICOM", series_files(np.minimum(labelled, 5), "labelled"))
    with pytest.raises(InputError, match="LABELLED_DICOM: expected the tumour as value 329"):
        read_only(write_files(tmp_path / "blank" / "3Dircadb1.3", files | blank))
    # No other patient's labelled image is read.
    other = read_only(write_files(tmp_path / "3Dircadb1.5", with_labels))
    assert not (other.labels == 2).any()


def test_mask_of_patient_3_comes_before_the_labelled_image(tmp_path):
    patient = read_only(write_files(tmp_path / "3Dircadb1.3", PATIENT))
    np.testing.assert_array_equal(patient.labels, EXPECTED)


def without(prefix):
    return {path: data for path, data in PATIENT.items() if not path.startswith(prefix)}


MASK = "MASKS_DICOM/livertumor01"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (without("PATIENT_DICOM"), r"3Dircadb1\.4: expected PATIENT_DICOM .*found MASKS_DICOM"),
        (without("MASKS_DICOM"), r"3Dircadb1\.4: expected MASKS_DICOM .*found MESHES_VTK\.zip"),
        (without("MASKS_DICOM/liver/"), "MASKS_DICOM: expected liver .*found LiverTumors"),
        (without(f"{MASK}/image_5"), rf"{MASK}: .*found 11 files: 1 missing \(image_5\)"),
        (without("PATIENT_DICOM/image_11"), r"liver: .*found 12 files: 1 too many \(image_11\)"),
        (without("PATIENT_DICOM/image_5"), r"PATIENT_DICOM/image_6: .*is a slice missing\?"),
        (PATIENT | {f"{MASK}/image_2": b""}, f"{MASK}/image_2: not a DICOM file"),
        (
            PATIENT | {"PATIENT_DICOM/image_2": PATIENT["PATIENT_DICOM/image_2"][:-4]},
            "PATIENT_DICOM/image_2: PixelData",
        ),
        (
            PATIENT | {"PATIENT_DICOM/image_12": b"text"},
            "PATIENT_DICOM: expected 13 CT slices, as many as files, found 12",
        ),
        (
            PATIENT | {f"{MASK}/image_2": PATIENT[f"{MASK}/image_3"]},
            f"{MASK}/image_2: ImagePositionPatient",
        ),
        (
            without("PATIENT_DICOM") | {"PATIENT_DICOM/notes.txt": b"x"},
            "PATIENT_DICOM: expected DICOM files image_0, image_1, ..., found none",
        ),
    ],
)
def test_incomplete_patients_are_refused_by_name(tmp_path, files, message):
    sources = find_patients(write_files(tmp_path / "3Dircadb1.4", files))
    with pytest.raises(InputError, match=message):
        read_patient(sources[4])


def test_damage_in_nested_archives_is_named(tmp_path):
    files = PATIENT | {f"{MASK}/image_2": b"text"}
    packed = {"3Dircadb1.4.zip": zipped(below("3Dircadb1.4", pack(files, *SECTIONS)))}
    sources = find_patients(write_files(tmp_path / "in", packed))
    place = r"in/3Dircadb1\.4\.zip/3Dircadb1\.4/MASKS_DICOM\.zip/MASKS_DICOM/livertumor01/image_2"
    with pytest.raises(InputError, match=place):
        read_patient(sources[4])


def test_real_patient(shared_data):
    source = find_patients(shared_data / "ircadb")[17]
    patient = read_patient(source)
    assert patient.volume.hu.shape == patient.labels.shape == (119, 512, 512)
    assert patient.volume.geometry.spacing == pytest.approx((1.6, 0.743, 0.743))
    assert (patient.volume.hu.min(), patient.volume.hu.max()) == (-1024, 1023)
    assert np.count_nonzero(patient.labels >= 1) == 2_106_497
    assert np.count_nonzero(patient.labels == 2) == 185_990
