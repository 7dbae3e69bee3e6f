"""The thesis' network made by Keras, variants of it, and its files in the spelling of Keras 2."""

import contextlib
import json
import re
import warnings

import h5py
import numpy as np

THESIS = (16, 32, 64, 128, 256)


@contextlib.contextmanager
def quiet():
    """Leaves out what Keras' reading of TensorFlow's arrays says of NumPy 2."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        yield


def make_network(features=THESIS, size=64, channels=3, seed=0, **variant):
    """A functional model, its layers created in the order of the notebook, all weights random.

    Variants, each one another network: `pool`, `swap` (skip before up), `bridge` (number of
    blocks), `bias`, `epsilon`, `sigmoid`, `wrong_skips`, `lambda_layer`, `dropout`,
    `shortcut_relu`.
    Spellings of the same: `relu_layer`, `sigmoid_layer`, `shortcut_first`.
    """
    import keras

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    has = variant.get

    def conv(x, filters, kernel, stride=1, **fields):
        bias = has("bias", True)
        layer = layers.Conv2D(
            filters, kernel, padding="same", strides=stride, use_bias=bias, **fields
        )
        return layer(x)

    def norm(x):
        return layers.BatchNormalization(epsilon=has("epsilon", 1e-3))(x)

    def conv_block(x, filters, stride=1):
        x = norm(x)
        x = layers.ReLU()(x) if has("relu_layer") else layers.Activation("relu")(x)
        if has("pool") and stride == 2:
            return layers.MaxPooling2D()(conv(x, filters, 3))
        return conv(x, filters, 3, stride)

    def shortcut(x, filters, stride=1):
        x = norm(conv(x, filters, 1, stride))
        return layers.Activation("relu")(x) if has("shortcut_relu") else x

    def residual_block(x, filters, stride=1):
        if has("shortcut_first"):
            z = shortcut(x, filters, stride)
            return layers.Add()([conv_block(conv_block(x, filters, stride), filters), z])
        y = conv_block(conv_block(x, filters, stride), filters)
        return layers.Add()([shortcut(x, filters, stride), y])

    first, *deeper = features
    image = x = keras.Input((size, size, channels))
    if has("lambda_layer"):
        x = layers.Lambda(lambda value: value * 2)(x)
    y = conv_block(conv(x, first, 3), first)
    x = layers.Add()([y, shortcut(x, first)])
    skips = []
    for width in deeper:
        skips.append(x)
        x = residual_block(x, width, 2)
    for _ in range(has("bridge", 2)):
        x = conv_block(x, deeper[-1])
    if has("dropout"):
        x = layers.Dropout(0.5)(x)
    for skip, width in reversed(list(zip(skips, deeper, strict=True))):
        up = layers.UpSampling2D((2, 2))(x)
        x = layers.Concatenate()([skip, up] if has("swap") else [up, skip])
        x = residual_block(x, width)
    if has("sigmoid_layer"):
        x = layers.Activation("sigmoid")(conv(x, 1, 1))
    else:
        x = conv(x, 1, 1, activation=has("sigmoid", "sigmoid"))
    model = keras.Model(image, x)
    randomize(model, seed)
    return model


def randomize(model, seed):
    """Biases, and scale, offset and statistics of the batch norms, that all differ."""
    rng = np.random.default_rng(seed)
    ranges = {
        "bias": (-0.2, 0.2),
        "gamma": (0.5, 1.5),
        "beta": (-0.3, 0.3),
        "moving_mean": (-0.3, 0.3),
        "moving_variance": (0.5, 2.0),
    }
    for layer in model.layers:
        for variable in layer.weights:
            if variable.name in ranges:
                low, high = ranges[variable.name]
                variable.assign(rng.uniform(low, high, variable.shape).astype(np.float32))


def spread(model, images):
    """Scales and moves the logits to a mean of 0 and a deviation of 1 on these images.

    As they are drawn, the weights give nearly one probability everywhere, which would hide what
    is wrong.
    """
    with quiet():
        probability = model.predict(images, verbose=0).astype(np.float64)
    logits = np.log(probability / (1 - probability))
    head = model.layers[-1]
    kernel, bias = head.get_weights()
    head.set_weights([kernel / logits.std(), (bias - logits.mean()) / logits.std()])


def write_model(model, path):
    """The whole model, with the optimiser's slots, by Keras."""
    model.compile("adam", "binary_crossentropy")
    model.optimizer.build(model.trainable_variables)
    with quiet():
        model.save(path)
    with h5py.File(path) as file:
        assert len(file["optimizer_weights"].attrs["weight_names"]) > 10
    return path


def write_weights(whole, path):
    """Weights alone, as `save_weights` of Keras 2 lays them out: `model_weights` at the root."""
    with h5py.File(whole) as source, h5py.File(path, "w") as target:
        group = source["model_weights"]
        for name in group:
            group.copy(name, target)
        for name, value in group.attrs.items():
            target.attrs[name] = value
    return path


def as_keras2(whole, path, rename=lambda name: name, prefix=""):
    """A whole model in Keras 2's spelling: `x/kernel:0` under a prefix, lists as inbound nodes."""
    with h5py.File(whole) as source, h5py.File(path, "w") as target:
        config = json.loads(source.attrs["model_config"])
        target.attrs["model_config"] = json.dumps(config_keras2(config, rename)).encode()
        target.attrs["keras_version"] = b"2.2.4"
        group = target.create_group("model_weights")
        old = source["model_weights"]
        names = list(old.attrs["layer_names"])
        # Long lists of names are split over several attributes.
        middle = len(names) // 2
        group.attrs["layer_names0"] = [rename(name).encode() for name in names[:middle]]
        group.attrs["layer_names1"] = [rename(name).encode() for name in names[middle:]]
        for name in names:
            layer = group.create_group(rename(name))
            weights = []
            for weight in old[name].attrs["weight_names"]:
                weights.append(f"{prefix}{rename(name)}/{weight.rpartition('/')[2]}:0")
                layer.create_dataset(weights[-1], data=old[name][weight][()])
            layer.attrs["weight_names"] = [weight.encode() for weight in weights]
        source.copy("optimizer_weights", target)
    return path


def config_keras2(config, rename):
    """`model_config` as Keras 2 writes it."""
    layers = []
    for layer in config["config"]["layers"]:
        fields = dict(layer["config"], name=rename(layer["config"]["name"]))
        if "batch_shape" in fields:
            fields["batch_input_shape"] = fields.pop("batch_shape")
        inbound = []
        for call in layer["inbound_nodes"]:
            found = re.findall(r'"keras_history": \["([^"]+)"', json.dumps(call))
            inbound.append([[rename(name), 0, 0, {}] for name in found])
        layers.append(
            {
                "name": fields["name"],
                "class_name": layer["class_name"],
                "config": fields,
                "inbound_nodes": inbound,
            }
        )
    ends = {
        end: [[rename(config["config"][end][0]), 0, 0]] for end in ("input_layers", "output_layers")
    }
    return {"class_name": "Model", "config": {"name": "model_1", "layers": layers} | ends}


def renumbered(start):
    """Names whose numbers start elsewhere, from 0 as none: conv2d, conv2d_1, ..."""
    seen = {}

    def rename(name):
        stem = re.sub(r"_\d+$", "", name)
        numbers = seen.setdefault(stem, {})
        number = numbers.setdefault(name, len(numbers) + start)
        return f"{stem}_{number}" if number else stem

    return rename
