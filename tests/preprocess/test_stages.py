import jax
import numpy as np
import pytest

from liverjax.choices import Stage
from liverjax.config import PreprocessConfig
from liverjax.preprocess import resize, roi
from liverjax.preprocess.stages import build_preprocess
from liverjax.preprocess.window import AIR_HU


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


@pytest.mark.parametrize("quantile", [0.0, 0.75])
def test_a_relative_window_does_not_see_the_contrast_phase(batch, quantile):
    tissue = np.where(batch["label"] > 0, 90 - 40 * (batch["label"] == 2), -1000)
    config = PreprocessConfig(
        size=64, window_low=-80.0, window_high=80.0, relative=True, roi_dilation=0
    )
    config.relative_quantile = quantile
    preprocess = build_preprocess(config, Stage.TUMOR)

    def inputs(shift):
        image = np.where(tissue > 0, tissue + shift, tissue).astype(np.int16)
        return preprocess.to_input(*preprocess.to_grid(dict(batch, image=image))[:2])

    # A whole liver 25 HU brighter looks the same inside.
    np.testing.assert_allclose(inputs(0), inputs(25), atol=0.05)
    assert 0.4 < float(np.median(np.asarray(inputs(0))[np.asarray(inputs(0)) > 0])) < 0.7


def test_a_relative_window_may_stay_with_the_parenchyma_where_tumour_abounds():
    config = PreprocessConfig(size=32, window_low=-100.0, window_high=100.0, relative=True)
    region = np.ones((2, 32, 32, 1), np.uint8)
    image = np.full((2, 32, 32, 1), 100, np.int16)
    image[:, :, :4] = -500  # gas, which does not count
    image[1, :, 4:20] = 40  # 16 of 28 columns are tumour

    def parenchyma():
        inputs = build_preprocess(config, Stage.TUMOR).to_input(image, region)
        return np.asarray(inputs)[:, 0, -1, 0]

    np.testing.assert_allclose(parenchyma(), [0.5, 0.5 + 60 * 16 / 28 / 200], atol=1e-6)
    config.relative_quantile = 0.75
    np.testing.assert_allclose(parenchyma(), [0.5, 0.5], atol=1e-6)
    region[:] = 0
    assert not parenchyma().any()


def test_the_grid_holds_whole_hu_next_to_the_resampled_ones(batch):
    for stage in Stage:
        grid = build_preprocess(PreprocessConfig(size=48), stage).to_grid(batch)
        exact = np.asarray(resize.sample(batch["image"], grid.view, 48, AIR_HU))
        assert (grid.image.dtype, grid.region.dtype) == (np.int16, np.uint8)
        assert np.abs(np.asarray(grid.image) - exact).max() <= 0.5


@pytest.mark.parametrize("stage", list(Stage))
def test_an_example_is_the_grid_with_what_is_sought_on_it(batch, stage):
    preprocess = build_preprocess(PreprocessConfig(size=8, roi_dilation=0), stage)
    example = jax.jit(preprocess.to_example)(batch)
    assert example.masks.dtype == np.uint8
    assert example.masks.shape == (2, 8, 8, 2)
    assert set(np.unique(example.masks)) <= {0, 1}
    grid = preprocess.to_grid(batch)
    np.testing.assert_array_equal(example.masks[..., :1], grid.region)
    np.testing.assert_array_equal(example.image, grid.image)


@pytest.mark.parametrize("stage", list(Stage))
def test_neighbours_become_channels_under_the_level_of_the_middle_slice(batch, stage):
    config = PreprocessConfig(
        size=64, neighbors=1, channels=2, window_low=-80.0, window_high=80.0, relative=True
    )
    preprocess = build_preprocess(config, stage)
    middle = np.where(batch["label"] > 0, 90, -1000).astype(np.int16)
    stack = np.concatenate([middle + 30, middle, middle - 30], axis=-1)
    grid = preprocess.to_grid(dict(batch, image=stack))
    assert grid.image.shape == (2, 64, 64, 3)
    assert grid.region.shape == (2, 64, 64, 1)
    inputs = np.asarray(preprocess.to_input(grid.image, grid.region))
    assert inputs.shape == (2, 64, 64, config.input_channels)
    inside = np.asarray(grid.image[..., 1]) == 90
    for channel, offset in enumerate((30, 0, -30)):
        value = (offset + 80) / 160
        np.testing.assert_allclose(inputs[..., channel][inside], value, atol=1e-3)
        np.testing.assert_array_equal(inputs[..., channel], inputs[..., channel + 3])
    floats = preprocess.to_input(grid.image.astype(np.float32), grid.region)
    np.testing.assert_array_equal(inputs, floats)


def known(batch, spacing):
    return dict(batch, spacing=np.array([spacing] * 2, np.float32))


def test_a_fixed_pixel_size_shows_the_middle_of_the_slice_at_that_size(batch):
    preprocess = build_preprocess(PreprocessConfig(size=32, pixel_mm=1.0), Stage.LIVER)
    # Pixels of 0.5 mm: 32 mm are the 64 pixels of the whole slice; of 1 mm: its middle half.
    whole = build_preprocess(PreprocessConfig(size=32), Stage.LIVER).to_grid(batch)
    np.testing.assert_array_equal(preprocess.to_grid(known(batch, (0.5, 0.5))).image, whole.image)
    middle = preprocess.to_grid(known(batch, (1.0, 1.0)))
    np.testing.assert_array_equal(middle.image, batch["image"][:, 16:48, 16:48])
    mask = preprocess.to_example(known(batch, (1.0, 1.0))).masks[..., 1:]
    back = np.asarray(preprocess.to_slices(mask, middle.view, 64, 64))
    expected = np.where(batch["label"] > 0, 1.0, 0.0)
    np.testing.assert_allclose(back[:, 16:48, 16:48], expected[:, 16:48, 16:48], atol=1e-5)
    assert not back[:, :16].any()
    assert not back[:, :, 48:].any()


def test_a_fixed_pixel_size_centres_on_the_liver_and_shows_all_of_it(batch):
    config = PreprocessConfig(size=64, pixel_mm=1.0, roi_margin=0.25, roi_dilation=0)
    preprocess = build_preprocess(config, Stage.TUMOR)
    # The box is 24 x 32 pixels around (28, 24).
    small = preprocess.to_grid(known(batch, (1.0, 0.5)))
    np.testing.assert_allclose(small.view.center, [[28, 24]] * 2)
    np.testing.assert_allclose(small.view.side, [[64, 128]] * 2)
    assert int(small.region[0].sum()) == 24 * 16
    large = preprocess.to_grid(known(batch, (1.0, 2.0)))
    np.testing.assert_allclose(large.view.side, [[96, 48]] * 2)
    assert int(large.region[0].sum()) == 16 * 42  # 24 and 64 mm at 1.5 mm
    empty = dict(known(batch, (1.0, 2.0)), label=np.zeros_like(batch["label"]))
    np.testing.assert_allclose(preprocess.to_grid(empty).view.side, [[64, 32]] * 2)


@pytest.mark.parametrize("stage", list(Stage))
def test_an_unknown_spacing_falls_back_to_the_fit_slice_by_slice(batch, stage):
    fitted = build_preprocess(PreprocessConfig(size=32), stage).to_grid(batch)
    preprocess = build_preprocess(PreprocessConfig(size=32, pixel_mm=3.0), stage)
    mixed = dict(batch, spacing=np.array([[0, 0], [1, 1]], np.float32))
    grid = preprocess.to_grid(mixed)
    np.testing.assert_array_equal(grid.image[0], fitted.image[0])
    np.testing.assert_allclose(grid.view.side, [fitted.view.side[0], [96, 96]])
    np.testing.assert_array_equal(preprocess.to_grid(batch).image, fitted.image)
