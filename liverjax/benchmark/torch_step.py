"""Training and inference of the PyTorch networks, as contenders."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from liverjax.benchmark.settings import Settings, TorchMode
from liverjax.benchmark.torch_runtime import (
    precision_of,
    synchronize,
    to_torch,
    torch_network,
)
from liverjax.benchmark.workload import Problem, model_config
from liverjax.config import OptimizerConfig

Update = Callable[[], Tensor]


def trainer(
    problem: Problem, settings: Settings, mode: TorchMode
) -> tuple[Callable[[int], None], list[Tensor]]:
    """Updates on the problem's batch, and the losses of the first two.

    A turn ends when the device is done with the last update; the list fills in the first turns.
    """
    update = _update(problem, settings, mode)
    losses: list[Tensor] = []

    def run(calls: int) -> None:
        """Steps in a row; keeps the first two losses."""
        for _ in range(calls):
            loss = update()
            if len(losses) < 2:
                losses.append(loss)
        synchronize()

    return run, losses


def predictor(
    problem: Problem, settings: Settings, mode: TorchMode
) -> tuple[Callable[[int], None], list[Tensor]]:
    """Forward passes on the problem's batch; the list holds the logits [B, 1, S, S] of the last."""
    network, images = _network(problem, settings, mode).eval(), _images(problem, mode)
    forward = torch.compile(network) if mode.compiled else network
    last: list[Tensor] = []

    def run(calls: int) -> None:
        with torch.inference_mode(), precision_of(mode):
            for _ in range(calls):
                last[:] = [forward(images)]
        synchronize()

    return run, last


def dice_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """`liverjax.training.losses.dice_cross_entropy` for slices that all carry weight."""
    logits = logits.float()
    probability = torch.sigmoid(logits)
    overlap = (probability * target).sum()
    dice = 1.0 - (2.0 * overlap + 1.0) / (probability.sum() + target.sum() + 1.0)
    return dice + functional.binary_cross_entropy_with_logits(logits, target)


def _update(problem: Problem, settings: Settings, mode: TorchMode) -> Update:
    """A function that trains one step further and returns the loss before it."""
    network = _network(problem, settings, mode).train()
    forward = torch.compile(network) if mode.compiled else network
    optimizer = _optimizer(network)
    images = _images(problem, mode)
    target = to_torch(np.asarray(problem.target), mode)

    def update() -> Tensor:
        """One training step; its loss."""
        optimizer.zero_grad(set_to_none=True)
        with precision_of(mode):
            logits = forward(images)
        loss = dice_cross_entropy(logits, target)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return update


def _network(problem: Problem, settings: Settings, mode: TorchMode) -> nn.Module:
    return torch_network(model_config(settings), settings.channels, problem.variables, mode)


def _images(problem: Problem, mode: TorchMode) -> Tensor:
    return to_torch(np.asarray(problem.images), mode)


def _optimizer(network: nn.Module) -> torch.optim.Optimizer:
    """AdamW as ours, in PyTorch's fastest form; decay acts on kernels alone."""
    config = OptimizerConfig()
    leaves = list(network.parameters())
    groups = [
        {"params": [leaf for leaf in leaves if leaf.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [leaf for leaf in leaves if leaf.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)
