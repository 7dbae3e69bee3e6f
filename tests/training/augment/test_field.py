import jax.numpy as jnp
import numpy as np
import pytest

from liverjax.preprocess.window import AIR_HU
from tests.training.augment.examples import SIDE, augmented, only, slices

COUNT, STRENGTH = 256, 0.3


@pytest.fixture(scope="module")
def cut():
    """Image, masks, and which pixels are still shown, of COUNT examples that were bright."""
    image = jnp.full((COUNT, SIDE, SIDE, 3), 50.0).at[:, SIDE // 2, SIDE // 2].set(-321.0)
    masks = jnp.ones((COUNT, SIDE, SIDE, 2), jnp.uint8)
    after, after_masks = augmented(only(field_of_view=STRENGTH), image, masks)
    shown = (after == np.asarray(image)).all(axis=-1)
    return after, after_masks, shown


def test_the_target_ends_where_the_image_does_and_the_region_does_not(cut):
    _, masks, shown = cut
    np.testing.assert_array_equal(masks[..., 1] > 0, shown)
    assert (masks[..., 0] == 1).all()
    assert not shown.all(axis=(1, 2)).any()
    # Of each side at most STRENGTH, of the circle too: the middle is always there.
    assert shown[:, SIDE // 2, SIDE // 2].all()


def test_each_side_and_the_circle_are_drawn_by_themselves(cut):
    _, _, shown = cut
    lines = {"above": shown.any(axis=2), "left": shown.any(axis=1)}
    lines |= {"below": lines["above"][:, ::-1], "right": lines["left"][:, ::-1]}
    round_ = shown.sum(axis=(1, 2)) < lines["above"].sum(axis=1) * lines["left"].sum(axis=1)
    # Half of them, and the one in sixteen in which no side loses anything.
    assert round_.mean() == pytest.approx(17 / 32, abs=0.12)
    for seen in lines.values():
        lost = seen[~round_].argmax(axis=1)
        assert lost.max() <= np.ceil(STRENGTH * SIDE)
        assert lost.max() > 0.8 * STRENGTH * SIDE
        assert (lost > 0).mean() == pytest.approx(8 / 15, abs=0.2)
    # A circle loses the corners at least, and less than its diameter may shrink by.
    covered = shown[round_].mean(axis=(1, 2))
    assert np.pi / 4 + 0.03 > covered.max() > 0.7
    assert len(set(covered.round(3))) > 40


def test_padding_is_one_exact_value_mostly_air(cut):
    after, _, shown = cut
    found = [set(np.unique(each[~seen])) for each, seen in zip(after, shown, strict=True)]
    assert all(len(values) == 1 for values in found)
    kinds, counts = np.unique([values.pop() for values in found], return_counts=True)
    assert kinds.tolist() == [AIR_HU, -321.0, 0.0]
    assert counts / COUNT == pytest.approx([0.75, 0.125, 0.125], abs=0.08)


def test_noise_and_motion_stay_outside_of_the_padding():
    config = only(field_of_view=STRENGTH, noise=40.0, shift=0.2, blur=1.5)
    after, masks = augmented(config, *slices(32, 3))
    corners = after[:, 0, 0]
    assert (corners == corners[:, :1]).all(axis=1).mean() > 0.7
    padded = (after == AIR_HU).all(axis=-1)
    assert not masks[..., 1][padded].any()
