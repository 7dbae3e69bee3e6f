from functools import partial

import h5py
import jax
import numpy as np
import pytest

from liverjax.config import ModelConfig
from liverjax.errors import InputError
from liverjax.models.build import build, logits_of
from liverjax.models.keras_import.convert import read_keras
from tests.models.keras_import import networks
from tests.models.keras_import.conftest import SMALL


@pytest.fixture(scope="module")
def probability():
    model = build(ModelConfig())
    return jax.jit(lambda variables, images: jax.nn.sigmoid(logits_of(model, variables, images)))


def assert_same(found, expected):
    assert jax.tree.structure(found.variables) == jax.tree.structure(expected.variables)
    for left, right in zip(
        jax.tree.leaves(found.variables), jax.tree.leaves(expected.variables), strict=True
    ):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("kind", ["whole", "weights"])
def test_outputs_are_those_of_keras(kind, thesis, images, probability, tmp_path):
    model, path = thesis
    if kind == "weights":
        path = networks.write_weights(path, tmp_path / "weights.h5")
    network = read_keras(path, networks.THESIS, 3)
    assert network.parameters == 4_723_057 == model.count_params()
    assert len(network.layers) == 58
    with networks.quiet():
        expected = model.predict(images, verbose=0)
    found = np.asarray(probability(network.variables, images))
    assert expected.std() > 0.1
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_the_variables_are_those_of_the_network(thesis):
    network = read_keras(thesis[1], networks.THESIS, 3)
    example = jax.ShapeDtypeStruct((1, 64, 64, 3), "float32")
    expected = jax.eval_shape(
        partial(build(ModelConfig()).init, train=True), jax.random.key(0), example
    )
    shapes = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), expected)
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), network.variables) == shapes
    assert network.side == 64


@pytest.mark.parametrize("start", [0, 1, 21])
@pytest.mark.parametrize("prefix", ["", "model_1/"])
def test_numbers_and_prefixes_of_keras_2_play_no_part(start, prefix, thesis, tmp_path):
    expected = read_keras(thesis[1], networks.THESIS, 3)
    rename = networks.renumbered(start)
    whole = networks.as_keras2(thesis[1], tmp_path / "whole.h5", rename, prefix)
    network = read_keras(whole, networks.THESIS, 3)
    assert network.layers["stem_conv"] == (f"conv2d_{start}" if start else "conv2d")
    assert_same(network, expected)
    weights = networks.write_weights(whole, tmp_path / "weights.h5")
    assert_same(read_keras(weights, networks.THESIS, 3), expected)


def test_names_given_by_hand_play_no_part(thesis, tmp_path):
    expected = read_keras(thesis[1], networks.THESIS, 3)
    shuffled = list(np.random.default_rng(0).permutation(1000))
    names = {}

    def rename(name):
        return names.setdefault(name, f"part/{'abc'[len(names) % 3]}{shuffled.pop()}")

    whole = networks.as_keras2(thesis[1], tmp_path / "whole.h5", rename)
    assert_same(read_keras(whole, networks.THESIS, 3), expected)
    weights = networks.write_weights(whole, tmp_path / "weights.h5")
    assert_same(read_keras(weights, networks.THESIS, 3), expected)


def test_numbers_tell_where_the_order_of_the_file_does_not(thesis, rng, tmp_path):
    path = networks.write_weights(thesis[1], tmp_path / "weights.h5")
    with h5py.File(path, "a") as file:
        file.attrs["layer_names"] = list(rng.permutation(file.attrs["layer_names"]))
    expected = read_keras(thesis[1], networks.THESIS, 3)
    assert_same(read_keras(path, networks.THESIS, 3), expected)


def test_the_order_of_the_file_may_be_that_in_which_layers_were_made(thesis, tmp_path):
    expected = read_keras(thesis[1], networks.THESIS, 3)
    path = networks.write_weights(thesis[1], tmp_path / "weights.h5")
    with h5py.File(path, "a") as file:
        for role, name in expected.layers.items():
            file.move(name, f"made for {role}")
        file.attrs["layer_names"] = [f"made for {role}" for role in expected.layers]
    assert_same(read_keras(path, networks.THESIS, 3), expected)


def test_a_network_inside_of_another_gives_its_layers(thesis, tmp_path):
    expected = read_keras(thesis[1], networks.THESIS, 3)
    with h5py.File(thesis[1]) as source, h5py.File(tmp_path / "nested.h5", "w") as file:
        group = file.create_group("model_1")
        old, names = source["model_weights"], []
        for layer in old.attrs["layer_names"]:
            for name in old[layer].attrs["weight_names"]:
                group.create_dataset(f"{name}:0", data=old[layer][name][()])
                names.append(f"{name}:0")
        # Keras 2 lists what is trained before the statistics.
        names.sort(key=lambda name: "moving" in name)
        group.attrs["weight_names"] = names
        file.attrs["layer_names"] = ["input_1", "model_1"]
        file.create_group("input_1").attrs["weight_names"] = []
    assert_same(read_keras(tmp_path / "nested.h5", networks.THESIS, 3), expected)


@pytest.mark.parametrize("spelling", ["relu_layer", "sigmoid_layer", "shortcut_first"])
def test_equal_spellings_give_equal_weights(spelling, small):
    network = read_keras(small(**{spelling: True}), SMALL, 3)
    assert network.parameters == read_keras(small(), SMALL, 3).parameters
    if spelling != "shortcut_first":  # there, other initial weights are drawn
        assert_same(network, read_keras(small(), SMALL, 3))


def test_double_precision_and_compression_are_read(small, tmp_path):
    expected = read_keras(small(), SMALL, 3)
    path = networks.write_weights(small(), tmp_path / "weights.h5")
    with h5py.File(path, "a") as file:
        kernel = file[f"{expected.layers['head']}"]
        name = next(name for name in kernel.attrs["weight_names"] if "kernel" in name)
        values = kernel[name][()].astype(">f8")
        del kernel[name]
        kernel.create_dataset(name, data=values, compression="gzip")
    assert_same(read_keras(path, SMALL, 3), expected)


def change(path, kind, values):
    """Replaces the first dataset of a kind; gives its path."""
    with h5py.File(path, "a") as file:
        names = []
        file.visit(names.append)
        name = next(
            name for name in names if name.rpartition("/")[2] == kind and "optim" not in name
        )
        shape = file[name].shape
        del file[name]
        if callable(values):
            values(file, name, shape)
        else:
            file.create_dataset(name, data=np.full(shape, values))
        return name


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("kernel", np.nan, "expected finite numbers"),
        ("bias", 1e300, "expected finite numbers"),
        ("moving_mean", -np.inf, "expected finite numbers"),
        ("moving_variance", -1e-3, "expected variances, found negative"),
        ("gamma", 1, "expected floats, found int64"),
    ],
)
def test_numbers_that_no_network_has_are_refused(kind, values, message, small, tmp_path):
    path = networks.write_weights(small(), tmp_path / "weights.h5")
    name = change(path, kind, values)
    with pytest.raises(InputError, match=message) as caught:
        read_keras(path, SMALL, 3)
    assert str(path) in str(caught.value)
    assert name in str(caught.value)


def test_optimizer_slots_are_not_looked_at(small, tmp_path):
    path = tmp_path / "whole.h5"
    path.write_bytes(small().read_bytes())
    with h5py.File(path, "a") as file:
        del file["optimizer_weights"]
        file["optimizer_weights"] = h5py.ExternalLink("elsewhere.h5", "/")
    assert_same(read_keras(path, SMALL, 3), read_keras(small(), SMALL, 3))
