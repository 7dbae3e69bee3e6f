import io
import re
import zipfile
from functools import cache

import numpy as np
import pydicom
import pytest

from liverjax.choices import Stage
from liverjax.datasets.phantom.archive import write_phantom_archive
from liverjax.datasets.phantom.lesions import has_tumor
from liverjax.datasets.phantom.patient import PhantomSpec
from liverjax.datasets.phantom.phantom import Phantom, make_phantom
from liverjax.evaluation.threshold_baseline import threshold_baseline
from liverjax.labels import merge_masks

TUMOR_NAME = re.compile(r"livertumors?\d*")
PATIENTS = (1, 2, 3, 4, 5, 6)
SPEC = PhantomSpec(shape=(24, 128, 128))
TINY = PhantomSpec(shape=(6, 32, 40))


@cache
def phantom(patient: int) -> Phantom:
    return make_phantom(patient, SPEC)


def tumor_of(made: Phantom) -> np.ndarray:
    masks = [mask for name, mask in made.structures.items() if TUMOR_NAME.fullmatch(name)]
    return np.logical_or.reduce([np.zeros(made.volume.hu.shape, bool), *masks])


def millilitres(made: Phantom, mask: np.ndarray) -> float:
    return float(mask.sum() * made.volume.geometry.voxel_ml)


def test_same_number_and_specification_give_the_same_voxels():
    again = make_phantom(2, SPEC)
    assert np.array_equal(again.volume.hu, phantom(2).volume.hu)
    assert again.structures.keys() == phantom(2).structures.keys()
    for name, mask in again.structures.items():
        assert np.array_equal(mask, phantom(2).structures[name])


def test_patients_and_seeds_differ():
    others = [phantom(3), make_phantom(2, PhantomSpec(SPEC.shape, seed=1))]
    liver = phantom(2).structures["liver"]
    for other in others:
        assert other.volume.geometry.spacing != phantom(2).volume.geometry.spacing
        assert (other.structures["liver"] ^ liver).sum() > 0.1 * liver.sum()


@pytest.mark.parametrize("patient", PATIENTS)
def test_volumes_are_plausible(patient):
    made = phantom(patient)
    liver = made.structures["liver"]
    assert 900 < millilitres(made, liver) < 2200
    assert 80 < millilitres(made, made.structures["spleen"]) < 450
    for side in ("left", "right"):
        assert 60 < millilitres(made, made.structures[f"{side}kidney"]) < 320
    per_slice = liver.any(axis=(1, 2))
    assert per_slice.mean() > 0.6
    assert not per_slice.all()


@pytest.mark.parametrize("patient", PATIENTS)
def test_hu_are_plausible_and_follow_the_contrast_phase(patient):
    made = phantom(patient)
    hu, masks = made.volume.hu, made.structures
    typical = {name: float(np.median(hu[mask])) for name, mask in masks.items()}
    assert 50 < typical["liver"] < 125
    assert typical["liver"] < typical["spleen"] < typical["liver"] + 60
    assert typical["liver"] + 15 < typical["portalvein"] < 200
    assert 100 < typical["leftkidney"] < 230
    assert 120 < typical["artery"] < 350
    assert 150 < typical["bone"] < 700
    assert -920 < typical["leftlung"] < -780
    assert hu[:, 0, 0].tolist() == [-1024] * len(hu)
    air = hu[:, 2, hu.shape[2] // 2]
    assert np.median(air) == pytest.approx(-1000, abs=15)


def test_contrast_phase_varies_between_patients():
    livers = [np.median(phantom(p).volume.hu[phantom(p).structures["liver"]]) for p in PATIENTS]
    assert max(livers) - min(livers) > 15


@pytest.mark.parametrize("patient", PATIENTS)
def test_organs_do_not_overlap(patient):
    masks = phantom(patient).structures
    solid = ["liver", "spleen", "leftkidney", "rightkidney", "bone", "leftlung", "rightlung"]
    assert np.sum([masks[name] for name in solid], axis=0).max() == 1
    assert not (masks["liver"] & ~masks["skin"]).any()


@pytest.mark.parametrize("patient", PATIENTS)
def test_tumours_lie_in_the_liver_and_show(patient):
    made = phantom(patient)
    tumor, liver = tumor_of(made), made.structures["liver"]
    assert tumor.any() == has_tumor(patient) == (patient != 5)
    assert not (tumor & ~liver).any()
    if has_tumor(patient):
        assert millilitres(made, tumor) > 6
        assert tumor.sum() < 0.25 * liver.sum()
    cyst = made.structures.get("livercyst", np.zeros_like(liver))
    assert not (cyst & ~liver).any()
    assert not (cyst & tumor).any()


def test_every_fifth_patient_is_healthy():
    assert [n for n in range(1, 21) if not has_tumor(n)] == [5, 10, 15, 20]


def test_single_tumours_differ_from_the_liver_by_little():
    made = phantom(2)
    hu, liver = made.volume.hu, made.structures["liver"]
    normal = np.median(hu[liver & ~tumor_of(made)])
    for name, mask in made.structures.items():
        if TUMOR_NAME.fullmatch(name):
            assert 12 < abs(np.median(hu[mask]) - normal) < 70


def test_cysts_hold_water():
    found = [phantom(p) for p in PATIENTS if "livercyst" in phantom(p).structures]
    assert found, "none of these patients has a cyst"
    for made in found:
        assert -25 < np.median(made.volume.hu[made.structures["livercyst"]]) < 45


def test_names_of_tumour_masks_vary():
    names = {n for p in PATIENTS for n in phantom(p).structures if TUMOR_NAME.fullmatch(n)}
    assert {"livertumor", "livertumors", "livertumor1", "livertumor01"} <= names
    assert "leftsurretumor" in phantom(3).structures


def test_no_single_threshold_solves_it():
    cases = []
    for patient in PATIENTS:
        made = phantom(patient)
        cases.append((made.volume.hu, merge_masks(made.structures["liver"], tumor_of(made))))
    assert threshold_baseline(cases, Stage.LIVER).mean_dice < 0.8
    assert threshold_baseline(cases, Stage.TUMOR).mean_dice < 0.3


def test_archive_has_the_layout_of_the_original_and_the_same_hu(tmp_path):
    done = []
    paths = write_phantom_archive(tmp_path / "new", [2, 5], TINY, progress=done.append)
    assert [path.name for path in paths] == ["3Dircadb1.2.zip", "3Dircadb1.5.zip"]
    assert done == [2, 5]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(
        path.name for path in paths
    )
    made = make_phantom(2, TINY)
    with zipfile.ZipFile(paths[0]) as outer:
        assert outer.namelist() == [
            "3Dircadb1.2/",
            "3Dircadb1.2/MASKS_DICOM.zip",
            "3Dircadb1.2/PATIENT_DICOM.zip",
        ]
        ct = zipfile.ZipFile(io.BytesIO(outer.read("3Dircadb1.2/PATIENT_DICOM.zip")))
        masks = zipfile.ZipFile(io.BytesIO(outer.read("3Dircadb1.2/MASKS_DICOM.zip")))
    assert ct.namelist() == ["PATIENT_DICOM/", *(f"PATIENT_DICOM/image_{i}" for i in range(6))]
    expected = {"MASKS_DICOM/"}
    for name in made.structures:
        expected |= {f"MASKS_DICOM/{name}/", *(f"MASKS_DICOM/{name}/image_{i}" for i in range(6))}
    assert set(masks.namelist()) == expected
    for i in range(6):
        ct_slice = pydicom.dcmread(ct.open(f"PATIENT_DICOM/image_{i}"))
        assert np.array_equal(ct_slice.pixel_array, made.volume.hu[i])
        assert float(ct_slice.ImagePositionPatient[2]) == pytest.approx(
            made.volume.geometry.affine[2, 0] * i
        )
        liver_slice = pydicom.dcmread(masks.open(f"MASKS_DICOM/liver/image_{i}"))
        assert np.array_equal(liver_slice.pixel_array, made.structures["liver"][i] * np.uint8(255))
        assert liver_slice.SeriesInstanceUID != ct_slice.SeriesInstanceUID


def test_archive_bytes_repeat(tmp_path):
    first = write_phantom_archive(tmp_path / "a", [1], TINY)
    second = write_phantom_archive(tmp_path / "b", [1], TINY)
    assert first[0].read_bytes() == second[0].read_bytes()


def test_a_failure_leaves_no_archive(tmp_path, monkeypatch):
    def fail(*_: object, **__: object) -> bytes:
        raise ValueError("broken")

    monkeypatch.setattr("liverjax.datasets.phantom.archive.encode_slice", fail)
    with pytest.raises(ValueError, match="broken"):
        write_phantom_archive(tmp_path, [1], TINY)
    assert list(tmp_path.iterdir()) == []
