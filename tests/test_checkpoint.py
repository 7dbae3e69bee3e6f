import gc
import shutil
import warnings

import numpy as np
import pytest

from liverjax.checkpoint import Saved, load_model, open_checkpoints
from liverjax.errors import CheckpointError


def saved(value):
    return Saved(
        model={"params": {"kernel": np.full((2, 3), value, np.float32)}, "batch_stats": {}},
        training={"step": np.array(value), "opt_state": (np.ones(2, np.float32), {})},
        config={"stage": "liver", "features": [8, 16]},
        manifest={"patients": {"train": ["patient01"]}},
        progress={"records": [{"step": value, "loss": 0.1}]},
    )


def test_the_best_and_the_latest_are_kept_and_the_best_is_loaded(tmp_path):
    with open_checkpoints(tmp_path) as checkpoints:
        assert checkpoints.latest_step is None
        for step, score in ((1, 0.2), (2, 0.9), (3, 0.5), (4, 0.1)):
            checkpoints.save(step, saved(step), score)
        assert (checkpoints.best_step, checkpoints.latest_step) == (2, 4)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["2", "3", "4"]
    best = load_model(tmp_path)
    assert best.step == 2
    assert (best.variables["params"]["kernel"] == 2).all()
    assert best.config == saved(2).config
    assert best.manifest == saved(2).manifest
    assert load_model(tmp_path, 4).step == 4
    assert load_model(tmp_path / "checkpoints").step == 2


def test_without_scores_the_latest_is_the_best(tmp_path):
    with open_checkpoints(tmp_path) as checkpoints:
        for step in (1, 2, 3):
            checkpoints.save(step, saved(step), None)
        assert checkpoints.best_step == 3
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["2", "3"]


def test_training_items_come_back_in_the_structure_given(tmp_path):
    with open_checkpoints(tmp_path) as checkpoints:
        checkpoints.save(7, saved(7), None)
        assert checkpoints.read_facts(7) == (saved(7).config, saved(7).progress)
        model, training = checkpoints.restore(7, saved(0).model, saved(0).training)
        assert training["step"] == 7
        assert isinstance(training["opt_state"], tuple)
        np.testing.assert_array_equal(model["params"]["kernel"], saved(7).model["params"]["kernel"])
        other = {"step": np.array(0), "opt_state": (np.ones(3, np.float32), {"more": np.ones(1)})}
        with pytest.raises(CheckpointError, match="of another network"):
            checkpoints.restore(7, saved(0).model, other)


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoints folder"):
        load_model(tmp_path)
    with pytest.raises(CheckpointError, match="nowhere: does not exist"):
        load_model(tmp_path / "nowhere")
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(CheckpointError, match=r"expected checkpoint \(any\), found \[\]"):
        load_model(tmp_path)
    with open_checkpoints(tmp_path) as checkpoints:
        checkpoints.save(7, saved(7), None)
    with pytest.raises(CheckpointError, match=r"expected checkpoint 8, found \[7\]"):
        load_model(tmp_path, 8)


@pytest.mark.parametrize("damage", ["model", "data", "metrics", "config"])
def test_a_damaged_checkpoint_is_one_clear_error(tmp_path, caplog, damage):
    with open_checkpoints(tmp_path) as checkpoints:
        checkpoints.save(7, saved(7), 0.5)
    folder = tmp_path / "checkpoints" / "7"
    if damage == "model":
        shutil.rmtree(folder / "model" / "d")
        shutil.rmtree(folder / "model" / "ocdbt.process_0")
    elif damage == "data":
        for path in (folder / "model").rglob("d/*"):
            path.write_bytes(path.read_bytes()[:-20])
    elif damage == "metrics":
        (folder / "metrics" / "metrics").write_text('{"sco')
    else:
        (folder / "config" / "data.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"damaged|missing"):
        load_model(tmp_path)
    assert not caplog.records
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the reads that Orbax gave up half-way
        gc.collect()
