"""Networks made by hand, so that what reaches them can be read off what they find."""

import dataclasses
import logging

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from liverjax.checkpoint import Saved, open_checkpoints
from liverjax.choices import Stage
from liverjax.config import ExperimentConfig, PreprocessConfig
from liverjax.config_json import to_dict
from liverjax.inference.cascade import compose
from liverjax.inference.load import bind_network, load_network
from liverjax.inference.postprocess import Postprocess
from liverjax.inference.predict import predict_volume
from liverjax.models.build import build
from liverjax.volume import Geometry, Volume
from tests.toy import toy_config


class Channel(nn.Module):
    """Finds what is brighter than half of the window in one channel; between `low` and `high`."""

    channel: int = 0
    low: float = 0.5
    high: float = 2.0

    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        values = images[..., self.channel : self.channel + 1]
        return jnp.where((values > self.low) & (values < self.high), 9.0, -9.0)


def network(stage, model, **preprocess):
    config = ExperimentConfig(
        stage=stage,
        preprocess=PreprocessConfig(window_low=0.0, window_high=100.0, **preprocess),
    )
    return bind_network(config, {}, model, {})


def bright(*slices, depth=5):
    """A CT in which the slices named hold a square of 90 HU, with one of 40 HU inside."""
    hu = np.full((depth, 32, 48), -500, np.int16)
    for index in slices:
        hu[index, 8:24, 12:36] = 90
        hu[index, 14:18, 20:28] = 40
    return hu


@pytest.mark.parametrize(
    ("channel", "slices", "found"),
    [(0, [2], [3]), (1, [2], [2]), (2, [2], [1]), (0, [0], [0, 1]), (2, [4], [3, 4])],
)
def test_channels_are_the_neighbours_and_the_ends_repeat(channel, slices, found):
    volume = Volume(bright(*slices), Geometry(np.eye(4)))
    seen = network(Stage.LIVER, Channel(channel), size=48, neighbors=1)
    probability = predict_volume(seen, volume, batch_size=3)
    assert np.flatnonzero(probability.max(axis=(1, 2)) > 0.5).tolist() == found


def test_neighbours_of_skipped_slices_are_still_seen():
    volume = Volume(bright(1, 2), Geometry(np.eye(4)))
    seen = network(Stage.TUMOR, Channel(2), size=48, neighbors=1)
    liver = np.zeros(volume.hu.shape, bool)
    liver[1] = volume.hu[1] > 0
    liver[3] = liver[1]
    probability = predict_volume(seen, volume, liver)
    assert np.flatnonzero(probability.max(axis=(1, 2)) > 0.5).tolist() == [1]


def cascade(pixel_mm):
    settings = {"size": 96, "neighbors": 1, "pixel_mm": pixel_mm}
    liver = network(Stage.LIVER, Channel(1, low=0.2), **settings)
    return compose(
        # What is bright here is smaller than any liver.
        liver._replace(postprocess=Postprocess(min_liver_ml=0.0)),
        network(Stage.TUMOR, Channel(1, low=0.2, high=0.65), **settings, roi_dilation=0),
    )


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize("spacing", [(3.0, 1.0, 1.0), (3.0, 2.0, 1.0), (1.0, 0.5, 0.6)])
def test_the_cascade_finds_the_same_at_a_fixed_pixel_size(spacing, axes):
    hu = np.transpose(bright(1, 2, 3), axes)
    affine = Geometry.from_axes((5.0, 6.0, 7.0), spacing).affine.copy()
    affine[:, :3] = affine[:, axes]
    found = cascade(pixel_mm=0.5)(Volume(np.ascontiguousarray(hu), Geometry(affine)))
    overlap = (found.liver & (hu > 0)).sum() / (found.liver | (hu > 0)).sum()
    assert overlap > 0.9
    tumor = hu == 40
    assert (found.tumor & tumor).sum() > 0.7 * tumor.sum()


def test_what_lies_outside_a_fixed_scale_is_not_found():
    volume = Volume(bright(2), Geometry.from_axes((0, 0, 0), (3.0, 4.0, 4.0)))
    seen = network(Stage.LIVER, Channel(), size=32, pixel_mm=1.0)
    probability = predict_volume(seen, volume)[2]
    # 32 mm around the middle are 8 x 8 pixels.
    inside = np.zeros((32, 48), bool)
    inside[12:20, 20:28] = True
    assert not probability[~inside].any()
    assert probability[inside].max() > 0.99


def test_an_unknown_spacing_is_fitted_and_said_once(caplog):
    hu = bright(1, 2, 3)
    unknown = Volume(hu, Geometry(np.eye(4), spacing_known=False))
    with caplog.at_level(logging.WARNING):
        found = cascade(pixel_mm=1.0)(unknown)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "liver at 1 mm and tumor at 1 mm" in caplog.text
    caplog.clear()
    fitted = cascade(pixel_mm=0.0)(unknown)
    np.testing.assert_array_equal(found.labels, fitted.labels)
    cascade(pixel_mm=1.0)(Volume(hu, Geometry(np.eye(4))))
    assert not caplog.records


def test_a_checkpoint_with_neighbours_and_a_pixel_size_is_loaded(tmp_path):
    config = toy_config(Stage.LIVER)
    settings = {"neighbors": 1, "channels": 2, "pixel_mm": 1.5}
    config.preprocess = dataclasses.replace(config.preprocess, **settings)
    images = jnp.zeros((1, 32, 32, config.preprocess.input_channels))
    init = jax.jit(lambda key: build(config.model).init(key, images, train=False))
    with open_checkpoints(tmp_path) as checkpoints:
        saved = Saved(
            init(jax.random.key(0)), {"step": jnp.ones((), jnp.int32)}, to_dict(config), {}, {}
        )
        checkpoints.save(1, saved, None)
    loaded = load_network(tmp_path, Stage.LIVER)
    assert loaded.config == config
    probability = predict_volume(loaded, Volume(bright(2), Geometry(np.eye(4))))
    assert probability.shape == (5, 32, 48)
    assert np.isfinite(probability).all()


class LeftHalf(nn.Module):
    """Finds whatever lies in the left half of the image, so that it is easily confused."""

    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        columns = jnp.arange(images.shape[2])[None, None, :, None]
        return jnp.where((columns < images.shape[2] // 2) & (images > 0.5), 9.0, -9.0)[..., :1]


def test_mirrored_slices_are_mirrored_back_and_the_answers_averaged():
    volume = Volume(bright(2), Geometry(np.eye(4)))
    seen = network(Stage.LIVER, LeftHalf(), size=48)
    alone = predict_volume(seen, volume)
    both = predict_volume(seen, volume, flips=True)
    # `bright` is symmetric, so what one answer finds on the left the other finds on the right.
    np.testing.assert_allclose(both, (alone + alone[:, :, ::-1]) / 2, atol=1e-6)
    assert both[2, 10, 14] == pytest.approx(both[2, 10, 33])
    chosen = seen._replace(postprocess=Postprocess(flips=True))
    np.testing.assert_array_equal(predict_volume(chosen, volume), both)


def test_the_liver_is_mirrored_with_its_slices():
    volume = Volume(bright(2), Geometry(np.eye(4)))
    liver = np.zeros(volume.hu.shape, bool)
    liver[2, 8:24, 12:20] = True  # the left part alone
    seen = network(Stage.TUMOR, Channel(0), size=48, roi_dilation=0)
    alone, both = (predict_volume(seen, volume, liver, flips=flips) for flips in (False, True))
    np.testing.assert_allclose(both, alone, atol=2e-2)
