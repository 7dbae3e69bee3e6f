import dataclasses

import pytest

from liverjax.choices import Precision, Stage
from liverjax.training.log import read_metrics
from liverjax.training.loop import fit
from tests.toy import toy_config, toy_source


@pytest.mark.parametrize("stage", list(Stage))
def test_bfloat16_learns_what_float32_does(tmp_path, stage):
    config = toy_config(stage, epochs=8)
    scores = {}
    for precision in Precision:
        model = dataclasses.replace(config.model, precision=precision)
        run = tmp_path / precision.value
        fit(dataclasses.replace(config, model=model), toy_source(), toy_source(1), run, {})
        scores[precision] = read_metrics(run)[-1]["validation_dice"]
    assert scores[Precision.FLOAT32] > 0.9
    assert abs(scores[Precision.BFLOAT16] - scores[Precision.FLOAT32]) < 0.005, scores
