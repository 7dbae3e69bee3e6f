import jax
import jax.numpy as jnp
import numpy as np
import pytest

from liverjax.augment_config import AugmentConfig
from liverjax.choices import Stage
from liverjax.training.augment.build import build_augment
from tests.training.augment.examples import (
    GEOMETRIC,
    INTENSITY,
    SCANNER,
    STRENGTHS,
    augmented,
    only,
    slices,
)

COUNT = 96


def program(config):
    change = jax.jit(build_augment(config, Stage.TUMOR))
    return change.lower(jax.random.key(0), *slices(2, 3)).as_text()


def unchanged(before, after):
    """Which examples of a batch came out equal to the bit."""
    return (np.asarray(before) == after).all(axis=(1, 2, 3))


@pytest.mark.parametrize("name", STRENGTHS)
def test_about_half_of_the_examples_at_one_half_and_the_others_to_the_bit(name):
    # Random texture: every transform shows on it.
    noise = np.random.default_rng(0).integers(-150, 350, slices(COUNT, 3)[0].shape)
    image, masks = jnp.asarray(noise, jnp.float32), slices(COUNT)[1]
    config = only(0.5, **{name: STRENGTHS[name]})
    moved, moved_masks = augmented(config, image, masks)
    same = unchanged(image, moved)
    # Of 96, half +- 4 standard deviations.
    assert 28 < same.sum() < 68
    assert not unchanged(masks, moved_masks)[~same].any() or name not in ("flip", "flip_vertical")
    assert (moved.dtype, moved.shape) == (image.dtype, image.shape)
    assert (moved_masks.dtype, moved_masks.shape) == (masks.dtype, masks.shape)
    assert set(np.unique(moved_masks)) <= {0, 1}
    np.testing.assert_array_equal(unchanged(masks, moved_masks)[same], True)
    if name in INTENSITY:
        np.testing.assert_array_equal(moved_masks, masks)


@pytest.mark.parametrize("group", [GEOMETRIC, INTENSITY, SCANNER])
def test_every_example_at_one_each_in_its_own_way(group):
    image, masks = slices(COUNT)
    moved, _ = augmented(only(1.0, **group), image, masks)
    assert not unchanged(image, moved).any()
    assert len({example.tobytes() for example in moved}) == COUNT


@pytest.mark.parametrize("name", STRENGTHS)
def test_without_strength_or_probability_it_is_no_part_of_the_program(name):
    nothing = program(only())
    assert program(only(0.0, **{name: STRENGTHS[name]})) == nothing
    assert "gather" not in nothing
    assert program(only(0.5, **{name: STRENGTHS[name]})) != nothing


def test_nothing_on_changes_nothing():
    for before, after in zip(slices(2), augmented(only(), *slices(2)), strict=True):
        np.testing.assert_array_equal(before, after)


def test_later_transforms_leave_the_draws_of_the_first_ones():
    image, masks = slices(8, 3)
    first = only(rotation=20.0, brightness=30.0)
    alone, moved_masks = augmented(first, image, masks)
    rare = only(rotation=20.0, brightness=30.0, **SCANNER)
    for name in SCANNER:
        setattr(rare, f"{name}_probability", 1e-9)
    beside, masks_beside = augmented(rare, image, masks)
    np.testing.assert_allclose(alone, beside, atol=1e-3)
    np.testing.assert_array_equal(moved_masks, masks_beside)


# On 8 slices in two tests, so that it is compiled once.
ALL = only(**STRENGTHS)


def test_the_same_key_draws_the_same_and_another_one_something_else():
    first, again, other = (augmented(ALL, *slices(8), key=key) for key in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert not unchanged(first[0], other[0]).any()


def test_an_example_does_not_depend_on_the_rest_of_its_batch():
    many, few = augmented(ALL, *slices(8)), augmented(ALL, *slices(3))
    np.testing.assert_allclose(many[0][:3], few[0], atol=0.01)
    np.testing.assert_array_equal(many[1][:3], few[1])


def test_neighbouring_slices_move_alike_and_have_noise_of_their_own():
    alike, _ = augmented(
        only(rotation=20.0, blur=1.0, low_resolution=0.5, gamma=0.5, contrast=0.2),
        *slices(6, neighbours=3),
    )
    np.testing.assert_allclose(alike[..., :1].repeat(3, -1), alike, atol=0.01)
    image, masks = slices(6, neighbours=3)
    grain = augmented(only(noise=20.0), image, masks)[0] - image
    for example in np.asarray(grain):
        correlation = np.corrcoef(example.reshape(-1, 3).T)
        assert np.abs(correlation - np.eye(3)).max() < 0.15


def test_values_stay_in_the_range_of_ct():
    rng = np.random.default_rng(0)
    image = jnp.asarray(rng.choice([-1024.0, 0.0, 50.0, 3071.0], (16, 32, 32, 1)), jnp.float32)
    wild = INTENSITY | {"noise": 400.0, "brightness": 500.0, "contrast": 1.0}
    moved, _ = augmented(only(rotation=30.0, **wild), image, slices(16)[1])
    assert moved.min() == -1024
    assert moved.max() == 3071


def test_what_lies_beyond_that_range_is_not_pushed_further():
    image = jnp.asarray([-2000.0, 20000.0] * 512, jnp.float32).reshape(1, 32, 32, 1)
    same, _ = augmented(only(1e-9, **INTENSITY), image, slices(1)[1])
    np.testing.assert_array_equal(same, image)
    moved, _ = augmented(only(brightness=500.0, noise=500.0), image, slices(1)[1])
    assert moved.min() >= -2000
    assert moved.max() <= 20000


def test_the_defaults_leave_every_new_transform_out():
    used = {"rotation", "zoom", "shift", "brightness", "contrast", "noise"}
    defaults = AugmentConfig()
    on = {name for name in STRENGTHS if getattr(defaults, name)}
    assert on == used
    assert all(getattr(defaults, f"{name}_probability") == 1 for name in used)
