"""Checkpoints of a tiny network with something wrong, and those that only look so."""

import atexit
import functools
import json
import pickle
import shutil
import tempfile
from functools import partial
from pathlib import Path

import jax
import numpy as np

from liverjax.checkpoint import Saved, open_checkpoints
from liverjax.choices import Stage
from liverjax.config_json import to_dict
from liverjax.errors import CheckpointError
from liverjax.inference.calibration import Calibration, write_calibration
from liverjax.inference.load import load_network
from liverjax.inference.postprocess import Postprocess
from liverjax.io import seal
from liverjax.models.build import build
from tests.corpus.case import Case
from tests.toy import toy_config

STEP = "checkpoints/1"
LOAD = partial(load_network, stage=Stage.LIVER)
CHOSEN = Postprocess(threshold=0.4, min_voxels=20)


@functools.cache
def base():
    """A run of an untrained network, gone with the process."""
    run = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, run, ignore_errors=True)
    config = toy_config(Stage.LIVER)
    images = jax.ShapeDtypeStruct((1, 32, 32, config.preprocess.input_channels), "float32")
    init = partial(build(config.model).init, train=True)
    shapes = jax.eval_shape(init, jax.random.key(0), images)
    variables = jax.tree.map(lambda leaf: np.ones(leaf.shape, leaf.dtype), shapes)
    with open_checkpoints(run) as checkpoints:
        checkpoints.save(1, Saved(variables, {"step": np.ones(())}, to_dict(config), {}, {}), 0.5)
    fingerprint = seal.fingerprint(run / STEP)
    write_calibration(run, Calibration(fingerprint, CHOSEN, ("patient01",), 0.9, 0.8))
    return run


def same(network):
    assert network.postprocess == CHOSEN
    assert network.step == 1


def case(name, change, field, message=None, *, error=CheckpointError, read=LOAD, check=same):
    """A run that `change` is called with."""

    def make(folder):
        run = folder / "run"
        shutil.copytree(base(), run)
        change(run)
        return run

    message = field if message is None else message
    return Case(f"checkpoint: {name}", make, error, field, message, read, check)


def data_file(run):
    """One of the files that hold the weights."""
    return next((run / STEP / "model" / "ocdbt.process_0" / "d").iterdir())


def weights(run):
    """All of these files."""
    return [path for path in (run / STEP / "model").rglob("d/*") if path.is_file()]


def cut(path):
    path.write_bytes(path.read_bytes()[:-20])


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)


def sealed(change):
    """As if the change had been there before the seal."""

    def change_and_seal(run):
        change(run)
        seal.seal(run / STEP)

    return change_and_seal


class Trap:
    """What a pickle can do to whoever opens it."""

    def __reduce__(self):
        return Path.touch, (Path(tempfile.gettempdir(), "liverjax-unpickled"),)


def no_trap(run):
    """Reads the run, and proves that nothing in it was executed."""
    touched = Path(tempfile.gettempdir(), "liverjax-unpickled")
    touched.unlink(missing_ok=True)
    try:
        return LOAD(run)
    finally:
        found = touched.exists()
        touched.unlink(missing_ok=True)
        if found:
            raise AssertionError("a pickle was opened")


def files():
    names = (
        "model/_METADATA", "model/manifest.ocdbt",
        "config/data.json", "manifest/data.json", "metrics/metrics", "_CHECKPOINT_METADATA",
    )  # fmt: skip
    for name in names:
        for what, change in {"removed": Path.unlink, "cut": cut, "flipped": flip}.items():
            if name == "metrics/metrics" and what != "removed":
                continue  # its score is read before the seal is compared
            yield case(
                f"{name} {what}",
                lambda run, name=name, change=change: change(run / STEP / name),
                "checkpoints",
                r"checkpoints.*: .*(missing|damaged)",
            )
    for what, change in {"removed": Path.unlink, "cut": cut, "flipped": flip}.items():
        yield case(
            f"weights {what}",
            lambda run, change=change: change(data_file(run)),
            "model/ocdbt.process_0",
            rf"{STEP}: model/ocdbt\.process_0/d/\w+ is (missing|damaged)",
        )
    pickled = pickle.dumps(Trap())
    for name in ("config/data.json", "model/_METADATA", "model/manifest.ocdbt"):
        put = sealed(lambda run, name=name: (run / STEP / name).write_bytes(pickled))
        yield case(f"a pickle as {name}", put, "checkpoints", rf"{STEP}: damaged", read=no_trap)
    put = sealed(lambda run: [path.write_bytes(pickled) for path in weights(run)])
    yield case("a pickle as weights", put, "checkpoints", rf"{STEP}: damaged", read=no_trap)
    put = sealed(lambda run: (run / STEP / "model" / "weights.pkl").write_bytes(pickled))
    # The seal is another one, so that what was chosen is not for it.
    yield case("a pickle beside the weights", put, "", error=None, read=no_trap,
               check=lambda network: None)  # fmt: skip


def metrics():
    """The score that the best checkpoint is chosen by."""
    path = f"{STEP}/metrics/metrics"
    for what, text in {
        "another name": '{"loss": 1.0}', "a text": '{"score": "high"}',
        "a list": "[1]", "null": '{"score": null}',
    }.items():  # fmt: skip
        yield case(
            f"score {what}",
            sealed(lambda run, text=text: (run / path).write_text(text)),
            "score",
            rf"{STEP}: score: expected a number, found",
        )


def seals():
    field = "contents.json"
    message = rf"{STEP}: contents\.json is damaged"
    for what, text in {
        "no JSON": "{", "empty": "", "a list": "[1]", "a number": "7",
        "wrong values": '{"config/data.json": 7}', "three values": '{"a": [1, 2, 3]}',
        "null": "null",
    }.items():  # fmt: skip
        yield case(
            f"seal {what}",
            lambda run, text=text: (run / STEP / field).write_text(text),
            field,
            message,
        )
    yield case(
        "seal in another encoding",
        lambda run: (run / STEP / field).write_bytes(b"\xff\xfe{"),
        field,
        message,
    )
    yield case(
        "no seal",
        lambda run: (run / STEP / field).unlink(),
        "checkpoint (any)",
        r"run: expected checkpoint \(any\), found \[\]",
    )
    other = '{"config/data.json": [1, 2]}'
    yield case(
        "seal of other files",
        lambda run: (run / STEP / field).write_text(other),
        "config/data.json",
        rf"{STEP}: config/data\.json is damaged",
    )
    yield case("nothing", shutil.rmtree, "run", "run: does not exist; give the workdir")
    yield case(
        "no folder of checkpoints",
        lambda run: shutil.rmtree(run / "checkpoints"),
        "checkpoints",
        "run: no checkpoints folder",
    )
    yield case(
        "no checkpoint",
        lambda run: shutil.rmtree(run / STEP),
        "checkpoint (any)",
        r"run: expected checkpoint \(any\), found \[\]",
    )
    late = partial(LOAD, step=7)
    yield case("another step", lambda run: None, "checkpoint 7", "run: .*7, found", read=late)
    tumor = partial(load_network, stage=Stage.TUMOR)
    yield case("another stage", lambda run: None, "stage", "run: .*stage tumor, found", read=tumor)


def with_config(change):
    def edit(run):
        path = run / STEP / "config" / "data.json"
        config = json.loads(path.read_text())
        changed = change(config)
        path.write_text(json.dumps(config if changed is None else changed))

    return sealed(edit)


def setting(*keys, value):
    def change(config):
        for key in keys[:-1]:
            config = config[key]
        config[keys[-1]] = value

    return with_config(change)


def configurations():
    for keys, value in [
        (("stage",), "spleen"), (("stage",), None), (("epoch",), 3), (("epochs",), "3"),
        (("model", "network"), "vgg"), (("model", "features"), 8), (("model", "features"), []),
        (("model", "features"), [8, "8"]), (("model", "features"), [8, -8]),
        (("model", "features"), [True, 8]), (("model",), None), (("preprocess",), []),
        (("preprocess", "size"), 0), (("preprocess", "size"), 31), (("preprocess", "size"), 1e99),
        (("preprocess", "window_low"), float("nan")),
        (("preprocess", "window_low"), 900.0), (("preprocess", "channels"), 0),
        (("preprocess", "neighbors"), -1), (("preprocess", "pixel_mm"), -1.0),
        (("preprocess", "recipe"), 7), (("preprocess", "resize_filter"), "none"),
    ]:  # fmt: skip
        field = keys[-1]
        message = rf"run: its stored configuration is damaged: .*{field}"
        yield case(f"config {'.'.join(keys)} {value}", setting(*keys, value=value), field, message)
    other = setting("model", "features", value=[8, 16])
    message = "run: not the weights of its stored configuration: .*expected .* found"
    yield case("weights of another width", other, "weights", message)
    more = setting("model", "features", value=[8, 8, 8])
    yield case("weights of another depth", more, "weights", message)
    for what, value in {"a list": [], "a text": "liver", "null": None}.items():
        yield case(
            f"config {what}",
            with_config(lambda config, value=value: {"value": value}),
            "config",
            "run: its stored configuration is damaged: config.value: no such field",
        )
        broken = sealed(
            lambda run, value=value: (run / STEP / "config" / "data.json").write_text(
                json.dumps(value)
            )
        )
        yield case(f"config itself {what}", broken, "run", "run.*damaged")
    deep = sealed(lambda run: (run / STEP / "config" / "data.json").write_text("[" * 10**5))
    yield case("config of lists in lists", deep, "checkpoints", rf"{STEP}: damaged")


def chosen(**values):
    def change(run):
        path = run / "postprocess.json"
        calibration = json.loads(path.read_text())
        calibration["chosen"] |= values
        path.write_text(json.dumps(calibration))

    return change


def calibrations():
    name = r"run/postprocess\.json: damaged"
    for field, value in [
        ("threshold", float("nan")), ("threshold", float("inf")), ("threshold", 0),
        ("threshold", 1), ("threshold", -0.5), ("threshold", "0.5"), ("threshold", None),
        ("threshold", [0.5]), ("min_voxels", -1), ("min_voxels", 1.5), ("min_voxels", True),
        ("min_ml", float("nan")), ("min_ml", float("inf")), ("min_ml", -1.0), ("flips", 1),
        ("flip", True),
    ]:  # fmt: skip
        change = chosen(**{field: value})
        yield case(f"postprocess.json {field} {value}", change, field, rf"{name} .*{field}")

    def text(content):
        data = content if isinstance(content, bytes) else content.encode()
        return lambda run: (run / "postprocess.json").write_bytes(data)

    for what, content in {
        "empty": "", "no JSON": "{", "a list": "[]", "a text": '"a"', "null": "null",
        "another file": '{"threshold": 0.5}', "UTF-16": '{"a": 1}'.encode("utf-16"),
        "a pickle": pickle.dumps(Trap()), "lists in lists": "[" * 10**5, "nothing in it": "{}",
    }.items():  # fmt: skip
        yield case(
            f"postprocess.json {what}", text(content), "postprocess.json", name, read=no_trap
        )

    def other(run):
        path = run / "postprocess.json"
        path.write_text(path.read_text().replace('"checkpoint": "', '"checkpoint": "0'))

    def defaults(network):
        assert network.postprocess == Postprocess()

    yield case("postprocess.json of another checkpoint", other, "", error=None, check=defaults)
    gone = lambda run: (run / "postprocess.json").unlink()  # noqa: E731
    yield case("no postprocess.json", gone, "", error=None, check=defaults)
    yield case("nothing wrong", lambda run: None, "", error=None)


def cases():
    for group in (files, metrics, seals, configurations, calibrations):
        yield from group()
