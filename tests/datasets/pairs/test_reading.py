import logging

import nibabel as nib
import numpy as np
import pytest

from liverjax.datasets.pairs.label_map import LabelMap
from liverjax.datasets.pairs.layouts import PairOptions, find_all_pairs
from liverjax.datasets.pairs.reading import fingerprint, read_pair
from liverjax.datasets.volumes import read_pairs
from liverjax.errors import InputError
from liverjax.io.nifti import write_segmentation
from liverjax.volume import Geometry, Segmentation
from tests.datasets.pairs.files import (
    PLACEHOLDER,
    SPACED,
    tiny_labels,
    write_btcv,
    write_lits,
    write_pair,
)


@pytest.fixture
def pair(tmp_path):
    write_lits(tmp_path, 1)
    return find_all_pairs([tmp_path])["volume-1"]


def test_voxels_and_places_are_those_of_the_files(tmp_path, pair):
    volume, reference = read_pair(pair)
    hu, labels = write_lits(tmp_path, 1)
    np.testing.assert_array_equal(volume.hu, hu)
    np.testing.assert_array_equal(reference.labels, labels)
    assert volume.geometry.matches(SPACED)
    # Stored along other axes it is the same patient.
    for path in (pair.image, pair.label):
        image = nib.load(path)
        nib.save(nib.as_closest_canonical(image), path)
    turned = read_pair(pair)
    np.testing.assert_array_equal(turned[0].hu, hu)
    np.testing.assert_array_equal(turned[1].labels, labels)


def test_a_placeholder_is_no_voxel_size_unless_it_is_said_to_be(tmp_path):
    write_lits(tmp_path, 1, geometry=PLACEHOLDER)
    # The labels' unit is not that of the image, as it happens.
    image = nib.load(tmp_path / "volume-1.nii.gz")
    image.header.set_xyzt_units("mm")
    nib.save(image, tmp_path / "volume-1.nii.gz")
    pair = find_all_pairs([tmp_path])["volume-1"]
    assert [each.geometry.spacing for each in read_pair(pair)] == [None, None]
    known = read_pair(pair, spacing_known=True)
    assert [each.geometry.spacing for each in known] == [(1, 1, 1)] * 2


def test_fingerprints_follow_from_files_and_from_what_is_said_of_them(tmp_path, pair):
    made = [fingerprint(pair), fingerprint(pair, True)]
    made.append(fingerprint(pair._replace(label_map=LabelMap((1,)))))
    write_segmentation(pair.label, Segmentation(tiny_labels(liver=2), SPACED))
    made.append(fingerprint(pair))
    assert len(set(made)) == 4
    pair.image.unlink()
    with pytest.raises(InputError, match=r"volume-1\.nii\.gz: cannot be read"):
        fingerprint(pair)


def write_float(path, values):
    image = nib.load(path)
    nib.save(nib.Nifti1Image(values.astype(np.float32), image.affine), path)


def test_labels_that_are_none_of_the_ct_are_refused(pair):
    shape = nib.load(pair.label).shape
    write_float(pair.label, np.full(shape, 2.0))
    assert read_pair(pair)[1].tumor.all()
    write_float(pair.label, np.full(shape, 0.5))
    with pytest.raises(
        InputError, match=r"segmentation-1\.nii\.gz: .* whole numbers .* found 0\.5"
    ):
        read_pair(pair)
    write_segmentation(pair.label, Segmentation(np.full((4, 24, 24), 7, np.uint8), SPACED))
    with pytest.raises(InputError, match=r"liver by the label map .*tumor=2, found the values 7"):
        read_pair(pair)
    moved = Geometry.from_axes((-10.0, -20.0, 31.0), (2.0, 0.7, 0.8))
    write_segmentation(pair.label, Segmentation(tiny_labels(), moved))
    with pytest.raises(InputError, match=r"volume-1\.nii\.gz and .*segmentation-1.* same grid"):
        read_pair(pair)


def test_values_and_axes_that_may_be_a_mistake_are_told(pair, tmp_path, caplog):
    write_segmentation(pair.label, Segmentation(tiny_labels(tumor=3, organ=5), SPACED))
    with caplog.at_level(logging.INFO):
        read_pair(pair)
    assert "segmentation-1.nii.gz: the values 3, 5 are background by the label map" in caplog.text
    options = PairOptions(LabelMap((1,), (4,)), "img/*.nii", "lab/*.nii")
    for number in (1, 2):
        write_pair(tmp_path / f"o/img/{number}.nii", tmp_path / f"o/lab/{number}.nii", number)
    read_pairs([tmp_path / "o"], options)
    assert "own-1, own-2: no voxel is a tumour by the label map liver=1+4,tumor=4" in caplog.text
    turned = nib.load(pair.image)
    turn = np.eye(4)
    turn[:2, :2] = [[0.9, 0.44], [-0.44, 0.9]]
    nib.save(nib.Nifti1Image(np.asanyarray(turned.dataobj), turned.affine @ turn), pair.image)
    with pytest.raises(InputError, match=r"volume-1\.nii\.gz: expected axial slices"):
        read_pair(pair)


def test_pairs_are_read_into_memory_together(tmp_path):
    write_lits(tmp_path / "lits", 2)
    write_btcv(tmp_path / "btcv", 27, PLACEHOLDER)
    found = read_pairs([tmp_path / "lits", tmp_path / "btcv"])
    assert (found.name, list(found.summaries)) == ("lits", ["volume-2", "img0027"])
    assert [each.tumors_known for each in found.summaries.values()] == [True, False]
    assert found.summaries["img0027"].tumor_voxels == 0
    with pytest.raises(InputError, match="no such folder"):
        read_pairs([tmp_path / "none"])


def test_coarse_volumes_are_means_and_lie_where_the_fine_ones_do(tmp_path):
    write_lits(tmp_path, 2)
    fine, coarse = (read_pairs([tmp_path], coarsen=by).read("volume-2") for by in (1, 2))
    assert coarse[0].hu.shape == (4, 12, 12)
    assert coarse[0].geometry.spacing == pytest.approx((2.0, 1.4, 1.6))
    # The first coarse voxel lies in the middle of four fine ones.
    middle = fine[0].geometry.affine @ (0, 0.5, 0.5, 1)
    np.testing.assert_allclose(coarse[0].geometry.affine[:, 3], middle)
    assert np.count_nonzero(coarse[1].liver) * 4 == np.count_nonzero(fine[1].liver)
    # Of the four voxels one, two and three are tumour.
    assert coarse[1].labels[1, 2, 2:5].tolist() == [1, 2, 1]
    with pytest.raises(InputError, match=r"volume-2\.nii\.gz: expected sides that 5 divides"):
        read_pairs([tmp_path], coarsen=5)


def test_the_public_volumes_have_the_tumours_that_they_are_known_for(shared_data):
    pairs = find_all_pairs([shared_data / "lits", shared_data / "btcv"], PairOptions())
    assert len(pairs) == 11
    volume, reference = read_pair(pairs["volume-1"])
    assert np.count_nonzero(reference.tumor) == 6983
    assert volume.geometry.spacing is None
    _, reference = read_pair(pairs["img0027"])
    assert reference.liver.any()
    assert not reference.tumor.any()
