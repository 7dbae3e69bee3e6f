"""Forward passes on a batch that lies ready on the device."""

from functools import partial

import jax
import numpy as np

from liverjax.benchmark.comparison import OURS, Comparison, check_close
from liverjax.benchmark.settings import Settings, name_of
from liverjax.benchmark.timing import Contender, interleave
from liverjax.benchmark.train_step import roofline
from liverjax.benchmark.workload import Problem, network_problem
from liverjax.choices import Precision
from liverjax.models.build import logits_of

NAME = "inference"
# Relative to the largest logit.
_TOLERANCE = {Precision.FLOAT32: 1e-3, Precision.BFLOAT16: 1e-1}


def compare_inference(settings: Settings) -> Comparison:
    """Ours against an equal network under PyTorch, with the same weights on the same batch.

    Raises:
        BenchmarkError: PyTorch is missing, or the logits differ.
    """
    problem = network_problem(settings)
    contender, ours = our_contender(problem)
    contenders, theirs = [contender], {}
    if settings.peers:
        from liverjax.benchmark import torch_step

        for mode in settings.torch_modes:
            name = name_of(mode)
            run, theirs[name] = torch_step.predictor(problem, settings, mode)
            contenders.append(Contender(name, run))
    timings = interleave(contenders, settings.repeats, settings.calls)
    logits = np.asarray(ours[0])
    largest = float(np.abs(logits).max())
    agreement = {}
    for name, last in theirs.items():
        most = largest * _TOLERANCE[settings.rounds(name)]
        found = np.moveaxis(last[0].float().cpu().numpy(), 1, -1)
        agreement[name] = check_close("logits", name, found, logits, most)
    facts = {
        "largest logit": largest,
        **roofline(problem, settings, timings[0], training=False),
    }
    return Comparison(
        NAME,
        "slices/s",
        settings.batch_size,
        tuple(timings),
        agreement,
        facts,
        settings.lower_precision,
    )


def our_contender(problem: Problem) -> tuple[Contender, list[jax.Array]]:
    """Our forward pass; the list holds the logits [B, S, S, 1] of the last."""
    forward = jax.jit(partial(logits_of, problem.model))
    last: list[jax.Array] = []

    def run(calls: int) -> None:
        for _ in range(calls):
            last[:] = [forward(problem.variables, problem.images)]
        jax.block_until_ready(last)

    return Contender(OURS, run), last
