import jax
import numpy as np
import pytest
from scipy import ndimage

from liverjax.datasets.copies import COPIES, FIRST_TURNED, MIRRORED, TURNS_DEG, list_copies
from liverjax.training.augment.copies import make_copies

make = jax.jit(make_copies)


@pytest.fixture(scope="module")
def slices():
    """HU [2, 60, 48] and labels of the same shape, tumours inside livers."""
    rng = np.random.default_rng(3)
    noise = [ndimage.gaussian_filter(rng.normal(0, 3000, (60, 48)), 2) for _ in range(2)]
    hu = np.clip(np.stack(noise), -1024, 3000).astype(np.int16)
    labels = np.zeros(hu.shape, np.uint8)
    labels[:, 10:45, 8:40] = 1
    labels[:, 20:32, 15:28] = 2
    return hu, labels


def copied(slices, copy):
    hu, labels = slices
    numbers = np.full(len(hu), copy, np.int32)
    batch = make({"copy": numbers, "image": hu[..., None], "label": labels[..., None]})
    assert (batch["image"].dtype, batch["label"].dtype) == (np.int16, np.uint8)
    return np.asarray(batch["image"])[..., 0], np.asarray(batch["label"])[..., 0]


def test_36_copies_of_slices_with_tumour_and_none_of_others():
    slices, copies = list_copies(np.array([False, True, False, True]))
    assert len(slices) == 4 + 2 * 36 == 4 + 2 * COPIES
    assert slices[:4].tolist() == [0, 1, 2, 3]
    assert not copies[:4].any()
    for number, shown in ((1, slice(4, 40)), (3, slice(40, 76))):
        assert set(slices[shown]) == {number}
        assert copies[shown].tolist() == list(range(1, 37))
    assert TURNS_DEG[0] == 10
    assert TURNS_DEG[-1] == 350
    assert len(TURNS_DEG) == 35


def test_the_slice_itself_and_its_mirror_image_are_exact(slices):
    for copy, wanted in ((0, slices), (MIRRORED, [part[..., ::-1] for part in slices])):
        for found, part in zip(copied(slices, copy), wanted, strict=True):
            np.testing.assert_array_equal(found, part)


@pytest.mark.parametrize("degrees", [10, 90, 130, 180, 270, 350])
def test_turned_slices_equal_scipy(slices, degrees):
    hu, labels = copied(slices, FIRST_TURNED + TURNS_DEG.index(degrees))
    for found, found_labels, one, label in zip(hu, labels, *slices, strict=True):
        wanted = ndimage.rotate(one, degrees, reshape=False)  # cubic, 0 outside, as in the thesis
        assert np.abs(found.astype(int) - wanted).max() <= 1
        assert (found != wanted).mean() < 0.02
        for least in (1, 2):
            soft = ndimage.rotate((label >= least).astype(float), degrees, reshape=False)
            sure = np.abs(soft - 0.5) > 1e-3
            np.testing.assert_array_equal((found_labels >= least)[sure], (soft >= 0.5)[sure])


def test_masks_have_no_stray_pixels(slices):
    _, labels = copied(slices, FIRST_TURNED + 2)
    for label in labels:
        assert ndimage.label(label >= 1, np.ones((3, 3)))[1] == 1


def test_each_example_is_its_own_copy_with_all_its_neighbours(slices):
    hu, labels = slices
    image = np.stack([hu, hu[::-1]], -1)
    numbers = np.array([MIRRORED, FIRST_TURNED + 8], np.int32)
    batch = make({"copy": numbers, "image": image, "label": labels[..., None], "weight": numbers})
    np.testing.assert_array_equal(batch["image"][0], image[0, :, ::-1])
    for channel in range(2):
        alone, _ = copied((image[..., channel], labels), FIRST_TURNED + 8)
        np.testing.assert_array_equal(batch["image"][1, ..., channel], alone[1])
    np.testing.assert_array_equal(batch["weight"], numbers)


def test_without_copies_nothing_happens(slices):
    batch = {"image": slices[0][..., None], "label": slices[1][..., None]}
    assert make_copies(batch) is batch
