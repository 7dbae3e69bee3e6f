import jax
import jax.numpy as jnp
import numpy as np
import pytest

from liverjax.config import PreprocessConfig, Stage
from liverjax.preprocess import resize, roi
from liverjax.preprocess.stages import build_preprocess
from liverjax.preprocess.window import AIR_HU, window


def test_window_maps_and_clips():
    hu = jnp.array([-1024.0, -100.0, 150.0, 400.0, 3000.0])
    np.testing.assert_allclose(window(hu, -100, 400), [0, 0, 0.5, 1, 1])


def test_the_whole_view_at_its_own_size_changes_nothing(rng):
    images = rng.normal(size=(2, 8, 8, 1)).astype(np.float32)
    view = resize.whole_view(2, 8, 8)
    np.testing.assert_allclose(resize.sample(images, view, 8), images, atol=1e-6)


def test_halving_averages_instead_of_picking():
    image = np.indices((16, 16)).sum(0)[None, ..., None] % 2 * 100.0  # a chequerboard
    half = resize.sample(image, resize.whole_view(1, 16, 16), 8)
    np.testing.assert_allclose(half, 50.0, atol=7)


def test_a_wide_slice_is_padded_not_squeezed():
    image = np.zeros((1, 8, 16, 1), np.float32)
    grid = resize.sample(image, resize.whole_view(1, 8, 16), 16, AIR_HU)[0, ..., 0]
    assert (grid[:3] == AIR_HU).all()
    assert (grid[-3:] == AIR_HU).all()
    np.testing.assert_allclose(grid[5:11], 0, atol=1e-3)


@pytest.mark.parametrize("center", [(20.0, 12.0), (3.0, 30.0)])
def test_restore_puts_back_what_sample_took(center):
    rows, columns = np.indices((32, 32))
    image = (rows + 2.0 * columns)[None, ..., None].astype(np.float32)
    view = resize.View(jnp.array([center]), jnp.array([[16.0, 16.0]]))
    back = np.asarray(resize.restore(resize.sample(image, view, 32), view, 32, 32))
    inside = np.zeros((32, 32), bool)
    for axis, middle in enumerate(center):
        offsets = np.indices((32, 32))[axis] + 0.5 - middle
        inside = (np.abs(offsets) < 6) & (inside if axis else True)
    # At the slice's own edge the grid mixes in what lies outside.
    inside[[0, -1]] = inside[:, [0, -1]] = False
    np.testing.assert_allclose(back[0, ..., 0][inside], image[0, ..., 0][inside], atol=0.1)
    assert not back[0, ..., 0][np.abs(rows + 0.5 - center[0]) > 9].any()


def test_liver_view_surrounds_the_liver_of_each_slice():
    liver = np.zeros((3, 40, 40, 1), np.uint8)
    liver[0, 10:20, 4:24] = 1
    liver[1, 39, 39] = 1
    view = roi.liver_view(roi.liver_box(jnp.asarray(liver)), 40, margin=0.1, min_side=0.25)
    np.testing.assert_allclose(view.center, [[15, 14], [39.5, 39.5], [20, 20]])
    np.testing.assert_allclose(view.side, [[24, 24], [10, 10], [40, 40]], rtol=1e-6)


def test_dilate_widens_by_the_pixels_asked_for():
    mask = np.zeros((1, 9, 9, 1), np.float32)
    mask[0, 4, 4] = 1
    assert np.asarray(roi.dilate(jnp.asarray(mask), 2)).sum() == 25
    assert np.asarray(roi.dilate(jnp.asarray(mask), 0)).sum() == 1


@pytest.fixture
def batch(rng):
    image = rng.integers(-1000, 400, (2, 64, 64, 1)).astype(np.int16)
    label = np.zeros((2, 64, 64, 1), np.uint8)
    label[:, 16:40, 8:40] = 1
    label[:, 24:32, 16:24] = 2
    return {"image": image, "label": label}


def test_the_liver_stage_looks_everywhere_for_liver_with_tumours(batch):
    config = PreprocessConfig(size=32, channels=3)
    preprocess = build_preprocess(config, Stage.LIVER)
    grid = jax.jit(preprocess.to_grid)(batch)
    inputs = preprocess.to_input(grid.image, grid.region)
    assert inputs.shape == (2, 32, 32, 3)
    assert (np.asarray(grid.region) == 1).all()
    target = preprocess.to_example(batch).masks[..., 1:]
    back = preprocess.to_slices(target, grid.view, 64, 64) > 0.5
    np.testing.assert_array_equal(back, batch["label"] >= 1)
    assert 0 <= float(inputs.min()) < float(inputs.max()) <= 1


def test_the_tumour_stage_sees_the_liver_alone(batch):
    preprocess = build_preprocess(PreprocessConfig(size=64, roi_dilation=0), Stage.TUMOR)
    grid = preprocess.to_grid(batch)
    target = preprocess.to_example(batch).masks[..., 1:]
    back = preprocess.to_slices(target, grid.view, 64, 64) > 0.5
    np.testing.assert_array_equal(back, batch["label"] == 2)
    outside = dict(batch, image=np.where(batch["label"] > 0, batch["image"], 399).astype(np.int16))
    margin = PreprocessConfig(size=64, roi_dilation=0, roi_margin=0.1)
    to_input = build_preprocess(margin, Stage.TUMOR).to_input
    inputs = [np.asarray(to_input(*preprocess.to_grid(each)[:2])) for each in (batch, outside)]
    interior = np.asarray(roi.dilate(1 - grid.region, 2)) == 0
    np.testing.assert_allclose(inputs[0][interior], inputs[1][interior])
    assert (inputs[0][np.asarray(grid.region) == 0] == 0).all()


def test_a_given_liver_replaces_the_labelled_one(batch):
    preprocess = build_preprocess(PreprocessConfig(size=64), Stage.TUMOR)
    liver = np.zeros_like(batch["label"])
    liver[:, 40:60, 40:60] = 1
    grid = preprocess.to_grid({"image": batch["image"], "liver": liver})
    np.testing.assert_allclose(grid.view.center, 50.0)


def test_a_relative_window_does_not_see_the_contrast_phase(batch):
    tissue = np.where(batch["label"] > 0, 90 - 40 * (batch["label"] == 2), -1000)
    config = PreprocessConfig(
        size=64, window_low=-80.0, window_high=80.0, relative=True, roi_dilation=0
    )
    preprocess = build_preprocess(config, Stage.TUMOR)

    def inputs(shift):
        image = np.where(tissue > 0, tissue + shift, tissue).astype(np.int16)
        return preprocess.to_input(*preprocess.to_grid(dict(batch, image=image))[:2])

    # A whole liver 25 HU brighter looks the same inside.
    np.testing.assert_allclose(inputs(0), inputs(25), atol=0.05)
    assert 0.4 < float(np.median(np.asarray(inputs(0))[np.asarray(inputs(0)) > 0])) < 0.7
