"""One's own files: patterns, pairs of folders, and folders of patients."""

import numpy as np
import pytest

from liverjax.datasets.pairs.label_map import LabelMap
from liverjax.datasets.pairs.layouts import PairOptions, find_all_pairs
from liverjax.datasets.pairs.reading import read_pair
from liverjax.errors import InputError
from liverjax.io.ct import read_scan
from liverjax.io.dicom.segmentation import write_segmentation_object
from liverjax.io.nifti import write_segmentation
from liverjax.volume import Segmentation
from tests.datasets.pairs.files import tiny_labels, write_lits, write_pair
from tests.datasets.tiny_archive import write_patient
from tests.io.dicom.objects import ALGORITHM

LABEL_MAP = LabelMap((1, 2), (2,))


def found(*folders, images="", labels=""):
    return find_all_pairs(folders, PairOptions(LABEL_MAP, images, labels))


@pytest.fixture
def series(tmp_path):
    """A folder with the DICOM files of a CT."""
    return write_patient(tmp_path / "source", 4, depth=4, side=24) / "PATIENT_DICOM"


def test_patterns_that_match_in_no_folder_are_named(tmp_path):
    write_lits(tmp_path / "lits", 1)
    write_pair(tmp_path / "own/P1/ct.nii.gz", tmp_path / "own/P1/seg.nii.gz", 2)
    both = (tmp_path / "lits", tmp_path / "own")
    for dot in ("", "./"):
        pairs = found(*both, images=f"{dot}*/ct.nii.gz", labels=f"{dot}*/seg.nii.gz")
        assert list(pairs) == ["volume-1", "own-P1"]
    message = rf"^--images=\*/image with --labels=\*/seg\.nii\.gz: .* {both[0]}, {both[1]}, found"
    with pytest.raises(InputError, match=message):
        found(*both, images="*/image", labels="*/seg.nii.gz")
    with pytest.raises(InputError, match="none: no such folder"):
        found(tmp_path / "none", images="*.nii", labels="*.nii")


def test_labels_beside_their_images_are_no_images(tmp_path):
    for name in ("P1", "P2"):
        write_pair(tmp_path / f"{name}.nii.gz", tmp_path / f"{name}_seg.nii.gz", 3)
    pairs = found(tmp_path, images="*.nii.gz", labels="*_seg.nii.gz")
    assert {pair.image.name: pair.label.name for pair in pairs.values()} == {
        "P1.nii.gz": "P1_seg.nii.gz",
        "P2.nii.gz": "P2_seg.nii.gz",
    }


def test_dicom_files_and_segmentations_are_partners_by_their_names(tmp_path, series):
    images, labels = tmp_path / "two/images", tmp_path / "two/labels"
    images.mkdir(parents=True)
    labels.mkdir()
    scan = read_scan(series)
    reference = Segmentation(tiny_labels(), scan.volume.geometry)
    write_segmentation(labels / "P1.nii.gz", reference)
    write_segmentation_object(labels / "P2.dcm", scan.source, reference, ALGORITHM)
    (images / "P1.DCM").write_bytes(sorted(series.iterdir())[0].read_bytes())
    (labels / "P1.dcm").write_bytes((images / "P1.DCM").read_bytes())  # a CT
    series.rename(images / "P2")
    pairs = found(tmp_path / "two")
    files = {name: (pair.image.name, pair.label.name) for name, pair in pairs.items()}
    assert files == {"own-P1": ("P1.DCM", "P1.nii.gz"), "own-P2": ("P2", "P2.dcm")}
    np.testing.assert_array_equal(read_pair(pairs["own-P2"])[1].labels, tiny_labels())
    (labels / "P1.nii.gz").rename(labels / "P3.nii.gz")
    (images / "P1.DCM").unlink()
    with pytest.raises(InputError, match=r"an image for every .* labels/P3\.nii\.gz"):
        found(tmp_path / "two")


def test_a_patient_with_several_label_files_is_refused_with_their_names(tmp_path, series):
    patient = tmp_path / "all/P1"
    write_pair(patient / "masks/liver.nii.gz", patient / "masks/tumor.nii.gz", 1)
    series.rename(patient / "dicom")
    message = r"P1: expected one label file per CT.* masks/liver\.nii\.gz, masks/tumor\.nii\.gz;"
    with pytest.raises(InputError, match=message):
        found(tmp_path / "all")
    (patient / "masks/tumor.nii.gz").unlink()
    assert list(found(tmp_path / "all")) == ["own-P1"]
