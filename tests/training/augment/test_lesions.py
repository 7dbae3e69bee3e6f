import jax.numpy as jnp
import numpy as np

from liverjax.choices import Stage
from tests.training.augment.examples import augmented, only

SIDE, COUNT = 48, 64
LIVER_HU = 100.0


def livers(slices=1):
    """COUNT discs of liver with a bright vessel in fat, the last of them without liver."""
    rows, columns = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    disc = rows**2 + columns**2 < 20**2
    image = np.where(disc, LIVER_HU, -80.0)
    image = np.where(disc & (np.abs(rows) < 2), 160.0, image)
    images = np.repeat(image[None, ..., None], slices, axis=-1).repeat(COUNT, 0)
    masks = np.stack([disc, np.zeros_like(disc)], axis=-1).astype(np.uint8)
    masks = masks[None].repeat(COUNT, 0)
    masks[-1] = 0
    return jnp.asarray(images, jnp.float32), jnp.asarray(masks)


def test_lesions_are_painted_where_they_are_sought_and_nowhere_else():
    image, masks = livers()
    after, sought = augmented(only(lesions=3), image, masks)
    np.testing.assert_array_equal(sought[..., 0], masks[..., 0])
    region, found = np.asarray(masks[..., 0]) > 0, np.asarray(sought[..., 1]) > 0
    assert not (found & ~region).any()
    changed = np.abs(np.asarray(after - image))[..., 0]
    assert changed[~region].max() == 0
    # What is sought differs from the liver as a rule, what lies far from it not at all.
    assert (changed[found] > 5).mean() > 0.8
    assert found[:-1].any(axis=(1, 2)).mean() > 0.9
    sizes = found[:-1].sum(axis=(1, 2))
    assert sizes.min() < 50
    assert sizes.max() > 300
    np.testing.assert_array_equal(after[-1], image[-1])
    assert not found[-1].any()


def test_most_lesions_are_darker_and_vessels_fade_in_them():
    image, masks = livers()
    after, sought = augmented(only(lesions=1), image, masks)
    found = np.asarray(sought[..., 1]) > 0
    liver = found & (np.asarray(image)[..., 0] == LIVER_HU)
    means = np.array(
        [np.asarray(after)[i, ..., 0][liver[i]].mean() for i in range(COUNT) if liver[i].any()]
    )
    assert (means < LIVER_HU).mean() > 0.75
    assert means.min() > LIVER_HU - 110
    assert means.max() < LIVER_HU + 80
    inside = found & (np.asarray(image)[..., 0] == 160.0)
    drop = np.asarray(after)[..., 0][inside].mean() - means.mean()
    assert drop < 160 - LIVER_HU


def test_neighbouring_slices_cut_one_lesion_and_the_middle_one_decides():
    image, masks = livers(slices=3)
    after, sought = augmented(only(lesions=1), image, masks)
    changed = np.abs(np.asarray(after - image)) > 10
    areas = changed.sum(axis=(1, 2)).astype(float)
    both = (areas > 20).all(axis=1)
    assert both.sum() > COUNT / 2
    shared = (changed[..., 0] & changed[..., 1]).sum(axis=(1, 2))[both]
    assert (shared > 0.5 * np.minimum(areas[both, 0], areas[both, 1])).mean() > 0.9
    assert (areas[both, 0] != areas[both, 2]).mean() > 0.8
    middle = changed[..., 1] == (np.asarray(sought[..., 1]) > 0)
    assert middle[both].mean() > 0.9


def test_the_share_of_examples_and_their_independence_of_the_batch():
    image, masks = livers()
    settings = only(0.5, lesions=2)
    after, sought = augmented(settings, image, masks)
    share = (np.asarray(sought[..., 1]) > 0).any(axis=(1, 2)).mean()
    assert 0.3 < share < 0.7
    few, few_sought = augmented(settings, image[:5], masks[:5])
    np.testing.assert_array_equal(few, after[:5])
    np.testing.assert_array_equal(few_sought, sought[:5])
    again, _ = augmented(settings, image, masks, key=9)
    assert (np.asarray(again) != np.asarray(after)).any()


def test_to_the_liver_stage_what_is_painted_is_liver():
    image, masks = livers()
    sought = jnp.stack([jnp.ones_like(masks[..., 0]), masks[..., 0]], axis=-1)
    after, same = augmented(only(lesions=2), image, sought, stage=Stage.LIVER)
    np.testing.assert_array_equal(same, sought)
    painted, _ = augmented(only(lesions=2), image, masks)
    np.testing.assert_allclose(after, painted, atol=1e-3)
