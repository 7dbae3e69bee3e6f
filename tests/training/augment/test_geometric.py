from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from liverjax.choices import Stage
from liverjax.preprocess.window import AIR_HU
from liverjax.training.augment.build import build_augment
from liverjax.training.augment.geometric import Move, draw_move, source_positions
from liverjax.training.augment.resample import resample
from tests.training.augment.examples import BRIGHT_HU, DARK_HU, GEOMETRIC, augmented, only, slices

COUNT = 256


def draws(config, count=COUNT):
    keys = jax.random.split(jax.random.key(0), count)
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(partial(draw_move, config)))(keys))


def move(matrix=((1, 0), (0, 1)), shift=(0, 0)):
    matrix, shift = jnp.asarray(matrix, jnp.float32), jnp.asarray(shift, jnp.float32)
    return Move(matrix, shift, jnp.zeros((2, 0, 0)), jnp.array(True))


def moved_mask(how):
    """The outline of the example slice, bool [S, S], before and after."""
    image, masks = slices(1)
    rows, columns = source_positions(only(), how, image.shape[1])
    _, after = jax.jit(resample)(image[0], masks[0], rows, columns)
    return np.asarray(masks[0, ..., 1]) > 0, np.asarray(after[..., 1]) > 0


@pytest.mark.parametrize("name", GEOMETRIC)
def test_image_and_mask_move_together(name):
    image, masks = slices(8)
    moved, moved_masks = augmented(only(**{name: GEOMETRIC[name]}), image, masks)
    bright = moved[..., 0] > (BRIGHT_HU + DARK_HU) / 2
    target = moved_masks[..., 1] > 0
    assert (bright & target).sum() / (bright | target).sum() > 0.98
    assert len({mask.tobytes() for mask in target}) > 1 or name.startswith("flip")
    assert (target != np.asarray(masks[..., 1])).any()
    # A mask inside another one stays inside, and nothing comes from beyond the image.
    assert (moved_masks[..., 0] >= moved_masks[..., 1]).all()
    assert moved.min() >= AIR_HU
    assert moved.max() <= BRIGHT_HU


def test_rotation_stays_within_its_degrees():
    matrix = draws(only(rotation=30.0)).matrix
    angle = np.rad2deg(np.arctan2(matrix[:, 1, 0], matrix[:, 0, 0]))
    assert np.abs(angle).max() <= 30.001
    assert angle.std() == pytest.approx(30 / np.sqrt(3), rel=0.15)
    assert abs(angle.mean()) < 5
    np.testing.assert_allclose(np.linalg.det(matrix), 1, atol=1e-5)


def test_a_known_rotation_turns_the_image():
    before, after = moved_mask(move(((0, -1), (1, 0))))
    np.testing.assert_array_equal(after, np.rot90(before, -1))


def test_rotation_in_the_image_is_the_one_drawn():
    image, masks = slices(16)
    masks = masks.at[..., 1].set(0).at[:, 14:18, 4:28, 1].set(1)
    _, moved = augmented(only(rotation=30.0), image, masks)
    rows, columns = np.mgrid[:32, :32] - 15.5
    angles = []
    for mask in moved[..., 1].astype(bool):
        spread = np.cov(rows[mask], columns[mask])
        angles.append(np.rad2deg(0.5 * np.arctan2(2 * spread[0, 1], spread[1, 1] - spread[0, 0])))
    assert np.abs(angles).max() < 31.5
    assert np.std(angles) > 10


def test_zoom_stays_within_its_range_and_more_than_one_enlarges():
    matrix = draws(only(zoom=0.3)).matrix
    factor = 1 / matrix[:, 0, 0]
    assert 0.7 <= factor.min() < 0.75
    assert 1.25 < factor.max() <= 1.3
    np.testing.assert_allclose(matrix[:, 0, 0], matrix[:, 1, 1])
    before, after = moved_mask(move(((1 / 1.4, 0), (0, 1 / 1.4))))
    assert after.sum() == pytest.approx(1.4**2 * before.sum(), rel=0.1)


def test_shear_slants_rows_and_columns_within_its_degrees():
    matrix = draws(only(shear=20.0)).matrix
    slants = np.rad2deg(np.arctan([matrix[:, 0, 1], matrix[:, 1, 0]]))
    assert np.abs(slants).max() <= 20.001
    assert np.abs(slants).max() > 18
    assert abs(np.corrcoef(slants)[0, 1]) < 0.2
    np.testing.assert_array_equal(matrix[:, [0, 1], [0, 1]], 1)


def test_shift_stays_within_its_range_and_goes_down_and_right():
    shift = draws(only(shift=0.15)).shift
    assert np.abs(shift).max() <= 0.15
    assert np.abs(shift).max() > 0.14
    assert abs(np.corrcoef(shift.T)[0, 1]) < 0.2
    before, after = moved_mask(move(shift=(3 / 32, 5 / 32)))
    np.testing.assert_array_equal(after, np.roll(before, (3, 5), (0, 1)))


@pytest.mark.parametrize(("name", "axis"), [("flip", 2), ("flip_vertical", 1)])
def test_flips_mirror_to_the_bit(name, axis):
    image, masks = slices(4)
    moved, moved_masks = augmented(only(**{name: True}), image, masks)
    np.testing.assert_array_equal(moved, np.flip(image, axis))
    np.testing.assert_array_equal(moved_masks, np.flip(masks, axis))


def test_bending_stays_within_its_range_is_smooth_and_never_folds():
    config = only(elastic=0.06)
    size = 64
    positions = jax.jit(jax.vmap(partial(source_positions, config, size=size)))(draws(config))
    rows, columns = (np.asarray(part) for part in positions)
    shift_rows = rows - np.arange(size)[:, None]
    shift_columns = columns - np.arange(size)
    largest = np.abs(shift_rows).max(axis=(1, 2))
    assert largest.max() <= 0.06 * size + 1e-3
    assert largest.max() > 0.03 * size
    # From one slice to the next the strength differs too.
    assert largest.min() < 0.2 * largest.max()
    determinant = np.diff(rows, axis=1)[:, :, :-1] * np.diff(columns, axis=2)[:, :-1] - (
        np.diff(rows, axis=2)[:, :-1] * np.diff(columns, axis=1)[:, :, :-1]
    )
    assert determinant.min() > 0
    assert np.abs(np.diff(shift_columns, n=2, axis=2)).max() < 0.35
    assert np.abs(shift_columns - shift_rows).max() > 1


def test_all_of_them_together_read_the_positions_drawn():
    """On a ramp every value tells where it was read.

    A pixel and its weight that were rounded differently would be off by a whole pixel.
    """
    size, count = 64, 24
    ramp = 20.0 * jnp.arange(size)[:, None] + 3.0 * jnp.arange(size)[None]
    image = jnp.broadcast_to(ramp[None, ..., None], (count, size, size, 1)).astype(jnp.float32)
    masks = jnp.ones((count, size, size, 2), jnp.uint8)
    config = only(**GEOMETRIC)
    geometric, _ = jax.random.split(jax.random.key(3))

    def expected(example):
        drawn = draw_move(config, jax.random.fold_in(geometric, example))
        return source_positions(config, drawn, size)

    rows, columns = (np.asarray(part) for part in jax.jit(jax.vmap(expected))(jnp.arange(count)))
    moved, _ = jax.jit(build_augment(config, Stage.LIVER))(jax.random.key(3), image, masks)
    inside = (np.minimum(rows, columns) >= 0) & (np.maximum(rows, columns) <= size - 1)
    assert inside.mean() > 0.6
    error = np.asarray(moved)[..., 0] - (20.0 * rows + 3.0 * columns)
    assert np.abs(error[inside]).max() < 0.05


def test_air_comes_in_from_outside():
    moved, masks = augmented(only(shift=0.4), *slices(4))
    assert (moved.min(axis=(1, 2, 3)) == AIR_HU).all()
    assert (masks[..., 0][moved[..., 0] == AIR_HU] == 0).all()
