"""Files of another architecture, damaged ones and hostile ones."""

import json

import h5py
import numpy as np
import pytest

from liverjax.errors import InputError
from liverjax.models.keras_import.convert import read_keras
from tests.models.keras_import import networks
from tests.models.keras_import.conftest import SMALL
from tests.models.keras_import.test_convert import change


def refusal(path, features=SMALL, channels=3):
    """The text with which a file is refused, which names the file."""
    with pytest.raises(InputError) as caught:
        read_keras(path, features, channels)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


@pytest.mark.parametrize(
    ("variant", "differs"),
    [
        (
            {"pool": True},
            "encoder0/first/conv: expected Conv2D (6 filters of 3x3, stride 2x2) after",
        ),
        ({"features": (8, 6)}, "stem_conv: expected Conv2D (4 filters of 3x3, stride 1x1) after"),
        ({"swap": True}, "decoder0/concat: expected Concatenate (last axis) after"),
        ({"bridge": 1}, "bridge1/norm: expected BatchNormalization (epsilon 0.001) after"),
        ({"bridge": 3}, "decoder0/up: expected UpSampling2D (2x2, nearest) after"),
        ({"bias": False}, "stem_conv: expected Conv2D (4 filters of 3x3, stride 1x1) after"),
        ({"epsilon": 1e-5}, "stem_block/norm: expected BatchNormalization (epsilon 0.001) after"),
        ({"sigmoid": "tanh"}, "head/sigmoid: expected Activation (sigmoid) after"),
        ({"sigmoid": "linear"}, "head/sigmoid: expected Activation (sigmoid) after"),
        ({"channels": 1}, "input: expected InputLayer (3 channels), found"),
        ({"dropout": True}, "decoder0/up: expected UpSampling2D (2x2, nearest) after"),
        ({"features": (4, 6, 6)}, "bridge0/conv: expected Conv2D (6 filters of 3x3, stride 1x1)"),
    ],
)
def test_another_architecture_is_refused_with_what_differs_first(variant, differs, small):
    text = refusal(small(**variant))
    first, *lines = text.splitlines()
    assert first.endswith("not the residual U-Net of the thesis; the first layers that differ:")
    assert 1 <= len(lines) <= 4
    assert differs in lines[0]
    assert all("expected" in line and "found" in line for line in lines[:3])


def test_a_difference_tells_what_is_there_in_its_place(small):
    assert "Conv2D (6 filters of 3x3, stride 1x1) after" in refusal(small(pool=True))
    (_, line) = refusal(small(swap=True)).splitlines()
    wanted, found = line.split("found ")
    assert wanted.index("up_sampling2d") < wanted.index("add")
    assert found.index("add") < found.index("up_sampling2d")
    assert "use_bias False" in refusal(small(bias=False))
    assert "dropout" in refusal(small(dropout=True))


@pytest.mark.parametrize(
    ("variant", "differs"),
    [
        ({"features": (8, 6)}, "stem_conv: expected kernel 3x3x3x4, bias 4, found conv2d"),
        ({"bridge": 1}, "expected kernel 3x3x6x6, bias 6, found no such layer"),
        ({"bridge": 3}, "expected nothing more, found conv2d"),
        ({"pool": True}, "expected no such layer, found max_pooling2d"),
        ({"dropout": True}, "expected no such layer, found dropout"),
        ({"lambda_layer": True}, "expected no such layer, found lambda"),
        ({"bias": False}, "stem_conv: expected kernel 3x3x3x4, bias 4, found conv2d"),
        ({"channels": 1}, "stem_conv: expected kernel 3x3x3x4, bias 4, found conv2d"),
        ({"shortcut_relu": True}, "expected 8 layers activation, found 10"),
    ],
)
def test_weights_of_another_architecture_are_refused(variant, differs, small, tmp_path):
    path = networks.write_weights(small(**variant), tmp_path / "weights.h5")
    lines = refusal(path).splitlines()
    assert 2 <= len(lines) <= 5
    assert any(differs in line for line in lines[1:])


def test_a_layer_in_between_is_named(small):
    text = refusal(small(shortcut_relu=True))
    assert "stem/add: expected Add after" in text
    assert "found activation" in text


def test_a_lambda_layer_is_refused_and_not_run(small):
    text = refusal(small(lambda_layer=True))
    assert "layer lambda" in text
    assert "pickled Python code. Nothing in the file is executed" in text


def test_a_truncated_file_is_refused(thesis, tmp_path):
    whole = thesis[1].read_bytes()
    path = tmp_path / "cut.h5"
    for share in (0.0001, 0.01, 0.5, 0.999):
        path.write_bytes(whole[: int(share * len(whole))])
        assert "truncated; download or copy it anew" in refusal(path)
    path.write_bytes(whole[:-1])
    assert "truncated" in refusal(path)


@pytest.mark.parametrize(
    "content", [b"", b"\x89HDF", b"version https://git-lfs", b"PK\x03\x04" * 99]
)
def test_a_file_of_another_kind_is_refused(content, tmp_path):
    path = tmp_path / "model.h5"
    path.write_bytes(content)
    assert "no HDF5 file" in refusal(path)


def test_what_is_no_file_is_refused(tmp_path):
    assert "No such file" in refusal(tmp_path / "absent.h5")
    assert "Is a directory" in refusal(tmp_path)


def test_an_hdf5_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "volumes.h5"
    with h5py.File(path, "w") as file:
        file["layers/conv2d/vars/0"] = np.zeros(3)
    assert "without the attribute layer_names" in refusal(path)
    with h5py.File(path, "a") as file:
        file["model_weights"] = np.zeros(3)
    assert "without the attribute layer_names" in refusal(path)


def damage_config(edit):
    def damage(file):
        config = json.loads(file.attrs["model_config"])
        edited = edit(config)
        file.attrs["model_config"] = edited if isinstance(edited, str) else json.dumps(edited)

    return damage


def without(config, *keys):
    inner = config
    for key in keys[:-1]:
        inner = inner[key]
    del inner[keys[-1]]
    return config


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda config: "{", "damaged"),
        (lambda config: "[" * 100_000, "damaged"),
        (lambda config: "[]", "is no JSON object"),
        (lambda config: without(config, "config"), "model_config is damaged"),
        (
            lambda config: without(config, "config", "layers", 1, "config"),
            "model_config is damaged",
        ),
        (lambda config: without(config, "config", "output_layers"), "model_config is damaged"),
        (lambda config: config | {"class_name": "Sequential"}, "functional Keras model, found Seq"),
        (lambda config: without(config, "config", "layers", 4), "the first layers that differ"),
    ],
)
def test_a_damaged_description_is_refused(edit, message, small, tmp_path):
    path = tmp_path / "whole.h5"
    path.write_bytes(small().read_bytes())
    with h5py.File(path, "a") as file:
        damage_config(edit)(file)
    assert message in refusal(path)


def test_a_layer_that_is_used_twice_is_refused(small, tmp_path):
    def edit(config):
        calls = config["config"]["layers"][1]["inbound_nodes"]
        calls.append(calls[0])
        return config

    path = tmp_path / "whole.h5"
    path.write_bytes(small().read_bytes())
    with h5py.File(path, "a") as file:
        damage_config(edit)(file)
    assert "is used 2 times" in refusal(path)


def outside(file, name, shape):
    file[name] = h5py.ExternalLink("other.h5", name)


def soft(file, name, shape):
    file[name] = h5py.SoftLink("/elsewhere")


def external(file, name, shape):
    file.create_dataset(name, shape, "f4", external="/etc/passwd")


def virtual(file, name, shape):
    layout = h5py.VirtualLayout(shape, "f4")
    layout[...] = h5py.VirtualSource("other.h5", name, shape)
    file.create_virtual_dataset(name, layout)


def huge(file, name, shape):
    file.create_dataset(name, (2**40, 2**20), "f4")


def pieces(file, name, shape):
    file.create_dataset(
        name, shape, "f4", maxshape=(None,) * len(shape), chunks=(2**23, *shape[1:])
    )


@pytest.mark.parametrize(
    ("replace", "message"),
    [
        (outside, "is a link to another place"),
        (soft, "is a link to another place"),
        (external, "keeps its numbers in another file"),
        (virtual, "keeps its numbers in another file"),
        (huge, "the first layers that differ"),
        (pieces, "is stored in pieces of"),
        (lambda file, name, shape: file.create_group(name), "is no dataset"),
        (lambda file, name, shape: None, "has no"),
        (lambda file, name, shape: file.create_dataset(name, data="x"), "that differ"),
    ],
)
@pytest.mark.parametrize("kind", ["whole", "weights"])
def test_what_leads_out_of_the_file_or_is_too_large_is_refused(
    replace, message, kind, small, tmp_path
):
    path = tmp_path / "file.h5"
    if kind == "weights":
        networks.write_weights(small(), path)
    else:
        path.write_bytes(small().read_bytes())
    change(path, "beta", replace)
    assert message in refusal(path)


def test_surplus_and_missing_weights_of_a_whole_model_are_refused(small, tmp_path):
    path = tmp_path / "whole.h5"
    path.write_bytes(small().read_bytes())
    with h5py.File(path, "a") as file:
        group = file["model_weights"]
        names = list(group.attrs["layer_names"])
        weighted = [name for name in names if len(group[name].attrs["weight_names"])]
        group.attrs["layer_names"] = [name for name in names if name != weighted[0]]
    assert "found no such layer" in refusal(path)
    with h5py.File(path, "a") as file:
        group = file["model_weights"]
        group.copy(weighted[0], "more")
        group.attrs["layer_names"] = [*names, "more"]
    assert "expected nothing more, found more with" in refusal(path)
    with h5py.File(path, "a") as file:
        file["model_weights"].attrs["layer_names"] = [*names, names[1]]
    assert "two of its layers have the same name" in refusal(path)
    with h5py.File(path, "a") as file:
        file["model_weights"].attrs["layer_names"] = names * 100
    assert "names" in refusal(path)


def test_a_file_of_links_that_multiply_is_not_gone_through(tmp_path):
    path = tmp_path / "links.h5"
    with h5py.File(path, "w") as file:
        file["kernel"] = np.zeros(1, np.float32)
        group = file.create_group("layer0")
        names = [f"weight{number}" for number in range(1500)]
        for name in names:
            group[name] = file["kernel"]
        group.attrs["weight_names"] = names
        for number in range(1, 200):
            file[f"layer{number}"] = group
        file.attrs["layer_names"] = [f"layer{number}" for number in range(200)]
    assert "more than 2000 weights" in refusal(path)
