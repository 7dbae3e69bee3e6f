"""A bundle of two untrained networks, and the runs that it is made of."""

from functools import partial

import jax
import numpy as np

from liverjax.checkpoint import Saved, open_checkpoints
from liverjax.choices import Stage
from liverjax.config import DatasetConfig
from liverjax.config_json import to_dict
from liverjax.datasets.content import describe, save_contents
from liverjax.inference.calibration import Calibration, write_calibration
from liverjax.inference.postprocess import Postprocess
from liverjax.io.seal import fingerprint
from liverjax.models.build import build
from tests.toy import toy_config

PATIENTS = {"train": ("volume-1", "img0027"), "validation": ("volume-2",), "test": ()}
CHOSEN = {
    Stage.LIVER: Postprocess(threshold=0.4, flips=True, min_liver_ml=15.0, min_certain=0.1),
    Stage.TUMOR: Postprocess(threshold=0.6, min_ml=0.05),
}
SECRET = "/home/somebody/runs"
"""A folder that no file of a bundle may name."""


def shown(seed):
    """What two slices of noise show, as `datasets.content` has it."""
    hu = np.random.default_rng(seed).integers(-100, 200, (2, 64, 64))
    return describe(hu)


def make_variables(config):
    """Weights at random; drawn here, as to initialise a network takes seconds to compile."""
    rng = np.random.default_rng(0)
    images = jax.ShapeDtypeStruct((1, 32, 32, config.preprocess.input_channels), "float32")
    init = partial(build(config.model).init, train=True)
    shapes = jax.eval_shape(init, jax.random.key(0), images)

    def draw(leaf):
        if len(leaf.shape) == 1:  # of a norm's variances among others, so above 0
            return rng.uniform(0.5, 1.5, leaf.shape).astype(np.float32)
        fan_in = np.prod(leaf.shape[:-1])
        return rng.normal(0, np.sqrt(2 / fan_in), leaf.shape).astype(np.float32)

    return jax.tree.map(draw, shapes)


def write_run(run, stage, **fields):
    """A run of an untrained network of five input channels, initialised from another run."""
    config = toy_config(stage, dataset=DatasetConfig("lits", **PATIENTS), **fields)
    config.preprocess.neighbors = 2
    config.init_from = f"{SECRET}/earlier"
    variables = {"batch_stats": {}, **make_variables(config)}
    manifest = {
        "command": f"train --workdir={SECRET}/liver",
        "commit": "ab" * 20,
        "dataset": {"name": "lits", "fingerprint": "f" * 64, "livers": None},
        "patients": {side: list(names) for side, names in PATIENTS.items()},
        "initial": None,
        "resumed": [{"command": SECRET}],
    }
    saved = Saved(variables, {"step": np.zeros(())}, to_dict(config), manifest, {})
    with open_checkpoints(run) as checkpoints:
        checkpoints.save(7, saved, 0.5)
    seen = {name: shown(number) for number, name in enumerate(["volume-1", "volume-2"])}
    save_contents(run / "contents.npz", seen | {f"{SECRET}/earlier: volume-1": shown(3)})
    return fingerprint(run / "checkpoints" / "7")


def write_runs(folder):
    """Workdirs of both networks, calibrated with one another."""
    runs = {stage: folder / stage.value for stage in Stage}
    liver, tumor = (write_run(runs[stage], stage) for stage in Stage)
    for stage, own, other in ((Stage.LIVER, liver, ""), (Stage.TUMOR, tumor, liver)):
        chosen = Calibration(own, CHOSEN[stage], PATIENTS["validation"], 0.9, 0.8, other)
        write_calibration(runs[stage], chosen)
    return runs


def contents(folder):
    """Every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
