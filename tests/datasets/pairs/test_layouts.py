import json

import numpy as np
import pytest

from liverjax.datasets.known_overlap import check_known_overlap
from liverjax.datasets.pairs.label_map import LabelMap
from liverjax.datasets.pairs.layouts import PairOptions, find_all_pairs
from liverjax.datasets.pairs.reading import fingerprint, read_pair
from liverjax.errors import InputError, SplitError
from liverjax.io.ct import read_ct, read_scan
from liverjax.io.dicom.segmentation import write_segmentation_object
from liverjax.io.nifti import write_segmentation
from liverjax.volume import Segmentation
from tests.datasets.pairs.files import (
    tiny_labels,
    write_btcv,
    write_lits,
    write_pair,
)
from tests.datasets.tiny_archive import write_patient
from tests.io.dicom.objects import ALGORITHM

OWN = PairOptions(LabelMap((1, 2), (2,)))


def names(*folders, **options):
    return list(find_all_pairs(folders, PairOptions(**options)))


def write_training(folder, case, suffix="", labels=None, seed=1):
    image = folder / "imagesTr" / f"{case}{suffix}.nii.gz"
    return write_pair(image, folder / "labelsTr" / f"{case}.nii.gz", seed, labels)


def describe(folder, **fields):
    (folder / "dataset.json").write_text(json.dumps(fields))


def test_lits_and_btcv_are_found_in_whatever_folders_they_lie(tmp_path):
    write_lits(tmp_path / "lits/Training Batch 1", 10)
    write_lits(tmp_path / "lits/Training Batch 2", 9)
    (tmp_path / "lits/Training Batch 1/volume-10.nii.gz").rename(tmp_path / "lits/volume-10.nii.gz")
    write_btcv(tmp_path / "btcv", 27)
    write_btcv(tmp_path / "split/Training", 28)
    for kind, name in (("img", "img0028"), ("label", "label0028")):
        (tmp_path / "split" / kind).mkdir()
        (tmp_path / f"split/Training/{name}.nii.gz").rename(
            tmp_path / f"split/{kind}/{name}.nii.gz"
        )
    write_btcv(tmp_path / "split/Testing/img", 61)
    found = find_all_pairs([tmp_path / "lits", tmp_path / "btcv", tmp_path / "split"])
    assert list(found) == ["volume-9", "volume-10", "img0027", "img0028"]
    _, reference = read_pair(found["img0027"])
    np.testing.assert_array_equal(reference.labels, tiny_labels(tumor=1))
    assert [pair.label_map.tumors_known for pair in found.values()] == [True, True, False, False]
    with pytest.raises(InputError, match="expected one data set, found LiTS and BTCV"):
        names(tmp_path)


def test_the_decathlon_is_read_with_its_description_and_without(tmp_path):
    folder = tmp_path / "Task03_Liver"
    _, labels = write_training(folder, "liver_3")
    for name in ("imagesTr/._liver_3.nii.gz", "labelsTr/._liver_3.nii.gz"):
        (folder / name).write_bytes(b"what a Mac leaves behind")
    for fields in (None, {"0": "background", "1": "liver", "2": "cancer"}):
        if fields:
            describe(folder, labels=fields, modality={"0": "CT"})
        (pair,) = find_all_pairs([tmp_path]).values()
        assert pair.name == "liver_3"
        np.testing.assert_array_equal(read_pair(pair)[1].labels, labels)
    describe(folder, labels={"0": "background", "1": "spleen"})
    with pytest.raises(InputError, match=r"dataset\.json: labels: expected liver, found 0: backg"):
        names(folder)


@pytest.mark.parametrize(
    ("labels", "liver", "tumor"),
    [
        ({"background": 0, "liver": 1, "tumor": 2}, (1,), (2,)),
        ({"background": 0, "liver": [1, 2], "Tumours": [2]}, (1, 2), (2,)),
        ({"background": 0, "spleen": 1, "liver": 6, "liver_tumor": 7}, (6,), (7,)),
        ({"background": 0, "spleen": 1, "liver": 6}, (6,), None),
    ],
)
def test_raw_folders_of_nnunet_say_what_their_labels_mean(tmp_path, labels, liver, tumor):
    write_training(tmp_path, "P 1", "_0000", tiny_labels(liver=liver[0], tumor=liver[-1]))
    write_training(tmp_path, "liver_7", "_0000", tiny_labels(liver=liver[0]), seed=2)
    (tmp_path / "imagesTr/liver_7_0001.nii.gz").write_bytes(b"another channel")
    describe(tmp_path, labels=labels, channel_names={"0": "CT", "1": "mask"})
    found = find_all_pairs([tmp_path])
    assert list(found) == ["own-P_1", "liver_7"]
    assert {pair.label_map for pair in found.values()} == {LabelMap(liver, tumor)}


def test_four_digits_are_a_channel_only_where_the_labels_lack_them(tmp_path):
    for case, suffix in (("amos_0001", ""), ("amos_0000", ""), ("p_0001", "_0000")):
        write_training(tmp_path / case[0] / "Dataset", case, suffix)
    assert names(tmp_path / "a", label_map=OWN.label_map) == ["own-amos_0000", "own-amos_0001"]
    assert names(tmp_path / "p", label_map=OWN.label_map) == ["own-p_0001"]
    (tmp_path / "a/Dataset/labelsTr/amos_0001.nii.gz").unlink()
    with pytest.raises(InputError, match=r"expected a label file .* imagesTr/amos_0001\.nii"):
        names(tmp_path / "a")


def test_training_folders_with_the_names_of_btcv_and_lits_are_these(tmp_path):
    called = {"btcv": ("img0001", "label0001"), "lits": ("volume-1", "segmentation-1")}
    for name, (image, label) in called.items():
        truth = tmp_path / name / f"labelsTr/{label}.nii.gz"
        write_pair(tmp_path / name / f"imagesTr/{image}.nii.gz", truth, 1)
    write_btcv(tmp_path / "btcv/imagesTs", 61)
    found = find_all_pairs([tmp_path / "btcv", tmp_path / "lits"])
    maps = {name: pair.label_map for name, pair in found.items()}
    assert maps == {"img0001": LabelMap((6,)), "volume-1": LabelMap((1, 2), (2,))}
    with pytest.raises(InputError, match=r"--label_map=.* expected a folder whose labels it is"):
        names(tmp_path / "btcv", label_map=OWN.label_map)
    describe(tmp_path / "btcv", labels={"background": 0, "liver": 1})
    (pair,) = find_all_pairs([tmp_path / "btcv"]).values()
    assert pair.label_map == LabelMap((1,))


def test_what_systems_and_interrupted_exports_leave_is_no_data_set(tmp_path):
    for folder in (".unfinished-Dataset001_A", "__MACOSX", "Dataset001_A"):
        write_training(tmp_path / folder, "liver_3")
    (pair,) = find_all_pairs([tmp_path]).values()
    assert pair.image.is_relative_to(tmp_path / "Dataset001_A")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"labels": {"liver": 1, "kidney": 2, "tumor": 3}}, "of which organ tumor is"),
        ({"labels": {"liver": 1, "ignore": 3}}, "every voxel to be annotated, found ignore"),
        ({"labels": {"liver": 1.5}}, "liver: expected whole numbers, found"),
        ({"labels": [1]}, "labels: expected names and values"),
        ({"labels": {"liver": 1}, "channel_names": {"0": "T1"}}, "channel_names: expected CT"),
        ({"labels": {"liver": 1}, "file_ending": ".mha"}, "file_ending: expected"),
    ],
)
def test_descriptions_that_fit_no_ct_of_a_liver_are_refused(tmp_path, fields, message):
    write_training(tmp_path, "a", "_0000")
    describe(tmp_path, **fields)
    with pytest.raises(InputError, match=message):
        names(tmp_path)


def test_ones_own_files_are_found_by_folders_and_by_patterns(tmp_path):
    write_pair(tmp_path / "two/images/b.nii.gz", tmp_path / "two/labels/b.nii", 1)
    write_pair(tmp_path / "any/P1/ct.nii.gz", tmp_path / "any/P1/seg_by_me.nii.gz", 2)
    assert names(tmp_path / "two", label_map=OWN.label_map) == ["own-b"]
    patterns = {"images": "*/ct.nii.gz", "labels": "*/seg*.nii.gz"}
    both = names(tmp_path / "any", tmp_path / "two", label_map=OWN.label_map, **patterns)
    assert both == ["own-P1", "own-b"]
    with pytest.raises(InputError, match="told what the values of its labels mean"):
        names(tmp_path / "two")
    with pytest.raises(InputError, match="a pattern below the folder with"):
        names(tmp_path / "any", images="../*.nii", labels="x")
    with pytest.raises(InputError, match="--images and --labels: expected both"):
        names(tmp_path / "any", images="*.nii")
    with pytest.raises(InputError, match="no CT with labels here; expected LiTS"):
        names(tmp_path / "any", label_map=OWN.label_map)


def test_dicom_of_a_patient_lies_in_a_folder_with_its_labels(tmp_path):
    folder = write_patient(tmp_path, 4, depth=4, side=24)
    series = folder / "PATIENT_DICOM"
    series.rename(tmp_path / "in")
    (tmp_path / "in").mkdir(exist_ok=True)
    patient = tmp_path / "all/ANON 7"
    patient.mkdir(parents=True)
    (tmp_path / "in").rename(patient / "dicom")
    (tmp_path / "all/empty").mkdir()
    with pytest.raises(InputError, match="no CT with labels here"):
        names(tmp_path / "all")
    geometry = read_ct(patient).geometry
    write_segmentation(patient / "liver.nii.gz", Segmentation(tiny_labels(), geometry))
    (pair,) = find_all_pairs([tmp_path / "all"], OWN).values()
    assert pair.name == "own-ANON_7"
    volume, reference = read_pair(pair)
    assert volume.geometry.spacing == pytest.approx((1.6, 0.7, 0.5))
    np.testing.assert_array_equal(reference.labels, tiny_labels())
    (patient / "liver.nii.gz").unlink()
    source = read_scan(patient / "dicom").source
    reference = Segmentation(tiny_labels(), geometry)
    write_segmentation_object(patient / "seg.dcm", source, reference, ALGORITHM)
    (pair,) = find_all_pairs([tmp_path / "all"], OWN).values()
    assert pair.label.name == "seg.dcm"
    np.testing.assert_array_equal(read_pair(pair)[1].labels, tiny_labels())
    before = fingerprint(pair)
    slice_file = sorted((patient / "dicom").iterdir())[0]
    slice_file.write_bytes(slice_file.read_bytes() + b"\0")
    assert fingerprint(pair) != before


def test_a_patient_without_partner_or_twice_is_refused_by_name(tmp_path):
    write_lits(tmp_path / "a", 1)
    write_lits(tmp_path / "b", 1)
    with pytest.raises(InputError, match="both are the patient volume-1"):
        names(tmp_path / "a", tmp_path / "b")
    with pytest.raises(InputError, match=r"volume-1\.nii\.gz: expected one image per patient"):
        names(tmp_path)
    write_training(tmp_path / "msd", "liver_001")
    with pytest.raises(InputError, match="both are the patient liver_001"):
        names(tmp_path / "a", tmp_path / "msd")
    with pytest.raises(InputError, match=r"--label_map=.* expected a folder whose labels it is"):
        names(tmp_path / "a", label_map=OWN.label_map)
    (tmp_path / "a/segmentation-1.nii.gz").rename(tmp_path / "a/segmentation-2.nii.gz")
    with pytest.raises(InputError, match=r"a label file for every file, .* volume-1\.nii\.gz"):
        names(tmp_path / "a")
    (tmp_path / "a/volume-1.nii.gz").rename(tmp_path / "a/volume-2.nii.gz")
    write_btcv(tmp_path / "c", 30)
    (tmp_path / "c/img0030.nii.gz").rename(tmp_path / "c/img0031.nii.gz")
    with pytest.raises(InputError, match=r"expected a label file .* img0031"):
        names(tmp_path / "c")
    with pytest.raises(InputError, match="no such folder; expected LiTS"):
        names(tmp_path / "none")


def test_the_guards_know_lits_among_others_by_their_names():
    check_known_overlap("lits", ("volume-1", "img0030", "own-patient30", "own-x"), "ircadb")
    for name in ("liver_30", "volume-030"):
        with pytest.raises(SplitError, match=f"^{name} of lits: are, or may be, patients"):
            check_known_overlap("lits", ("img0001", name), "ircadb")
    with pytest.raises(SplitError, match="own-x of msd: expected a name with the number"):
        check_known_overlap("msd", ("own-x",), "ircadb")
