import dataclasses
import json

import pytest

from configs import thesis_liver
from liverjax import config_json
from liverjax.choices import Loss, Network, ResizeFilter, Stage
from liverjax.config import ExperimentConfig, ModelConfig, PretrainConfig
from liverjax.errors import ConfigError
from liverjax.validation import validate


def test_round_trip_through_json_keeps_every_field():
    config = ExperimentConfig(
        stage=Stage.TUMOR, loss=Loss.DICE, model=ModelConfig(Network.UNET, (4, 8), 0.5)
    )
    config.dataset.train = ("patient01", "patient02")
    restored = config_json.from_dict(
        ExperimentConfig, json.loads(json.dumps(config_json.to_dict(config)))
    )
    assert restored == config
    assert isinstance(restored.model.features, tuple)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"epoch": 3}, "config.epoch"),
        ({"epochs": "3"}, "config.epochs"),
        ({"epochs": True}, "config.epochs"),
        ({"stage": "kidney"}, "config.stage"),
        ({"model": 3}, "config.model"),
        ({"model": {"features": 3}}, "config.model.features"),
        ({"model": {"features": [8, "x"]}}, r"config.model.features\[1\]"),
    ],
)
def test_wrong_names_and_types_name_the_field(values, field):
    with pytest.raises(ConfigError, match=field):
        config_json.from_dict(ExperimentConfig, values)


def test_an_integer_serves_as_a_float():
    config = config_json.from_dict(ExperimentConfig, {"optimizer": {"learning_rate": 1}})
    assert isinstance(config.optimizer.learning_rate, float)


def test_differences_name_the_changed_fields_only():
    first = ExperimentConfig()
    second = dataclasses.replace(first, epochs=3, model=ModelConfig(features=(1, 2)))
    found = config_json.differences(first, second)
    assert [line.split(":")[0] for line in found] == ["config.epochs", "config.model.features"]
    assert config_json.differences(first, ExperimentConfig()) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("model.features", (8,)),
        ("preprocess.size", 100),
        ("preprocess.window_low", 400.0),
        ("preprocess.relative_quantile", 0.75),
        ("preprocess.resize_filter", ResizeFilter.NEAREST),
        ("optimizer.learning_rate", 0.0),
        ("optimizer.epsilon", 0.0),
        ("optimizer.warmup_fraction", 1.0),
        ("preprocess.channels", 0),
        ("preprocess.roi_dilation", -1),
        ("model.features", (8.5, 16)),
        ("model.features", ("a", "b")),
        ("model.momentum", 1.0),
        ("augment.zoom", 1.0),
        ("augment.zoom", -1.5),
        ("augment.zoom", -0.1),
        ("augment.shear", 45.0),
        ("augment.elastic", 0.1),
        ("augment.elastic_cell", 0.0),
        ("augment.low_resolution", 1.0),
        ("augment.gamma_inverted", 1.1),
        ("augment.rotation_probability", 1.5),
        ("augment.flip_vertical_probability", -0.1),
        ("augment.noise", -1.0),
        ("augment.slice_thickness", 1.0),
        ("augment.field_of_view", 0.5),
        ("augment.phase", -0.5),
        ("augment.phase_probability", 1.5),
        ("liver_share", 1.5),
        ("patient_balance", 1.5),
        ("seed", -1),
    ],
)
def test_impossible_values_are_refused_by_name(path, value):
    config = ExperimentConfig()
    *parents, name = path.split(".")
    target = config
    for parent in parents:
        target = getattr(target, parent)
    setattr(target, name, value)
    with pytest.raises(ConfigError, match=rf"config\.{path}"):
        validate(config)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("preprocess.window_high", 300.0),
        ("preprocess.pixel_mm", 1.0),
        ("augment.rotation", 10.0),
        ("augment.flip", True),
        ("augment.phase", 0.5),
        ("tumor_share", 0.5),
        ("liver_share", 0.5),
        ("patient_balance", 0.5),
    ],
)
def test_what_the_recipe_of_the_thesis_would_disregard_is_refused(path, value):
    config = thesis_liver.get_config()
    validate(config)
    *parents, name = path.split(".")
    setattr(getattr(config, parents[0]) if parents else config, name, value)
    with pytest.raises(ConfigError, match=rf"config\.{path}"):
        validate(config)


def test_thickness_needs_neighbours():
    config = ExperimentConfig()
    config.augment.slice_thickness = 2.0
    with pytest.raises(ConfigError, match=r"0, as it needs preprocess\.neighbors, found 2\.0"):
        validate(config)
    config.augment.slice_thickness_probability = 0.0
    validate(config)
    config.augment.slice_thickness_probability, config.preprocess.neighbors = 1.0, 1
    validate(config)


def test_a_share_of_liver_is_one_of_the_first_stage_alone():
    config = ExperimentConfig(liver_share=0.8)
    validate(config)
    with pytest.raises(ConfigError, match=r"config\.liver_share: expected 0 with tumor_share"):
        validate(dataclasses.replace(config, tumor_share=0.5))
    with pytest.raises(ConfigError, match=r"config\.liver_share: expected 0 at stage tumor"):
        validate(dataclasses.replace(config, stage=Stage.TUMOR))


@pytest.mark.parametrize(
    ("field", "value"), [("epochs", -1), ("size", 100), ("size", 0), ("learning_rate", 0.0)]
)
def test_impossible_epochs_on_a_smaller_input_are_refused(field, value):
    pretrain = dataclasses.replace(PretrainConfig(epochs=1), **{field: value})
    with pytest.raises(ConfigError, match=rf"config\.pretrain\.{field}"):
        validate(ExperimentConfig(pretrain=pretrain))


def test_the_defaults_are_possible():
    validate(ExperimentConfig())
