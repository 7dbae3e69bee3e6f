"""The cascade in PyTorch: what `liverjax.inference` does, written plainly, on the same weights."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from liverjax.benchmark.settings import TorchMode
from liverjax.benchmark.torch_runtime import (
    memory_format,
    precision_of,
    torch_device,
    torch_network,
)
from liverjax.checkpoint import load_model
from liverjax.config import ExperimentConfig, PreprocessConfig
from liverjax.config_json import from_dict
from liverjax.errors import BenchmarkError
from liverjax.inference.postprocess import liver_from_probability, tumor_from_probability
from liverjax.labels import merge_masks
from liverjax.preprocess.window import AIR_HU
from liverjax.volume import Segmentation, Volume, from_canonical, to_canonical

_BATCH = 8  # of `liverjax.inference.predict`
_TISSUE_HU = (0.0, 200.0)  # of `liverjax.preprocess.window`

# (slices [B, 1, H, W] in HU, liver [B, 1, H, W] of 0 and 1 or None) -> probability [B, 1, H, W]
Stage = Callable[[Tensor, Tensor | None], Tensor]


def load_cascade(liver: Path, tumor: Path, mode: TorchMode) -> Callable[[Volume], Segmentation]:
    """The cascade of two training runs of liverjax.

    Raises:
        BenchmarkError: a run uses neighbouring slices or a fixed pixel size, which the peer
            knows nothing of.
    """
    find_liver, find_tumor = _load(liver, mode), _load(tumor, mode)

    def segment(volume: Volume) -> Segmentation:
        """Both stages on one CT, with our post-processing."""
        hu = np.ascontiguousarray(to_canonical(volume.hu, volume.geometry))
        inside = liver_from_probability(_predict(find_liver, hu, None))
        found = tumor_from_probability(_predict(find_tumor, hu, inside), inside)
        labels = from_canonical(merge_masks(inside, found), volume.geometry)
        return Segmentation(np.ascontiguousarray(labels), volume.geometry)

    return segment


@torch.inference_mode()
def _predict(stage: Stage, hu: np.ndarray, liver: np.ndarray | None) -> np.ndarray:
    """Probability of every voxel, float32 [D, H, W]; with a liver, of its slices alone."""
    device = torch_device()
    probability = np.zeros(hu.shape, np.float32)
    slices = np.arange(len(hu)) if liver is None else np.flatnonzero(liver.any(axis=(1, 2)))
    for start in range(0, len(slices), _BATCH):
        wanted = slices[start : start + _BATCH]
        # Padded as ours, so that a compiled network meets one shape.
        padded = np.pad(wanted, (0, _BATCH - len(wanted)), mode="edge")
        images = torch.from_numpy(hu[padded]).to(device)[:, None].float()
        masks = None
        if liver is not None:
            masks = torch.from_numpy(liver[padded]).to(device)[:, None].float()
        found = stage(images, masks).cpu().numpy()
        probability[wanted] = found[: len(wanted), 0]
    return probability


def _load(run: Path, mode: TorchMode) -> Stage:
    """One stage from the best checkpoint of a run."""
    loaded = load_model(run)
    config = from_dict(ExperimentConfig, loaded.config)
    preprocess = config.preprocess
    if preprocess.neighbors or preprocess.pixel_mm:
        raise BenchmarkError(
            f"{run}: preprocess.neighbors and preprocess.pixel_mm: expected 0, found "
            f"{preprocess.neighbors} and {preprocess.pixel_mm}; the peer has neither"
        )
    channels = preprocess.input_channels
    network = torch_network(config.model, channels, loaded.variables, mode).eval()
    forward = torch.compile(network) if mode.compiled else network

    def stage(images: Tensor, liver: Tensor | None) -> Tensor:
        """Slices to probabilities on their own grid."""
        height, width = images.shape[2:]
        start, side = _whole(images) if liver is None else _around(liver, preprocess)
        step = side / preprocess.size
        grid = resample(images - AIR_HU, start, step, preprocess.size, preprocess.size) + AIR_HU
        grid = grid.round()
        region = torch.ones_like(grid)
        if liver is not None:
            shown = resample(liver, start, step, preprocess.size, preprocess.size) >= 0.5
            border = preprocess.roi_dilation
            region = functional.max_pool2d(shown.float(), 2 * border + 1, 1, border)
        inputs = _to_input(grid, region, preprocess)
        with precision_of(mode):
            logits = forward(inputs.contiguous(memory_format=memory_format(mode)))
        probability = torch.sigmoid(logits.float())
        return resample(probability, -start / step[:, None], 1.0 / step, height, width)

    return stage


def _to_input(grid: Tensor, region: Tensor, config: PreprocessConfig) -> Tensor:
    """HU [B, 1, S, S] -> network input [B, C, S, S] in 0..1."""
    if config.relative:
        tissue = region * (grid > _TISSUE_HU[0]) * (grid < _TISSUE_HU[1])
        total = (grid * tissue).sum((1, 2, 3), keepdim=True)
        grid = grid - total / tissue.sum((1, 2, 3), keepdim=True).clamp(min=1.0)
    low, high = config.window_low, config.window_high
    values = ((grid - low) / (high - low)).clamp(0.0, 1.0) * region
    return values.repeat(1, config.channels, 1, 1)


def _whole(images: Tensor) -> tuple[Tensor, Tensor]:
    """First corner [B, 2] and side [B] in pixels of the square around each slice."""
    count, _, height, width = images.shape
    side = float(max(height, width))
    corner = torch.tensor([(height - side) / 2, (width - side) / 2], device=images.device)
    return corner.expand(count, 2), torch.full((count,), side, device=images.device)


def _around(liver: Tensor, config: PreprocessConfig) -> tuple[Tensor, Tensor]:
    """As `_whole`, of the square around the liver [B, 1, H, W] in each slice, which holds some."""
    longest = float(max(liver.shape[2:]))
    inside = liver[:, 0] > 0
    ends = []
    for occupied in (inside.any(dim=2).int(), inside.any(dim=1).int()):
        first = occupied.argmax(dim=1)
        last = occupied.shape[1] - occupied.flip(1).argmax(dim=1)
        ends.append(torch.stack([first, last]).float())
    (top, bottom), (left, right) = ends
    side = torch.maximum(bottom - top, right - left) * (1 + 2 * config.roi_margin)
    side = side.clamp(config.roi_min_side * longest, longest)
    centre = torch.stack([(top + bottom) / 2, (left + right) / 2], dim=1)
    return centre - side[:, None] / 2, side


def resample(images: Tensor, start: Tensor, step: Tensor, height: int, width: int) -> Tensor:
    """Linear, with a triangle filter as wide as the step where it shrinks; 0 outside.

    Args:
        images: [B, 1, H, W].
        start: [B, 2], first edge of the result along rows and columns, in pixels of the source.
        step: [B], size of a pixel of the result in pixels of the source.
        height, width: of the result.

    Returns:
        [B, 1, height, width].
    """
    rows = _weights(images.shape[2], height, start[:, 0], step)
    columns = _weights(images.shape[3], width, start[:, 1], step)
    return (rows @ images[:, 0] @ columns.transpose(1, 2))[:, None]


def _weights(inputs: int, outputs: int, start: Tensor, step: Tensor) -> Tensor:
    """[B, outputs, inputs]: what each pixel of one axis gives to each of the result."""
    places = torch.arange(outputs, device=start.device) + 0.5
    places = start[:, None] + places * step[:, None] - 0.5
    distance = (places[:, :, None] - torch.arange(inputs, device=start.device)).abs()
    weights = (1.0 - distance / step.clamp(min=1.0)[:, None, None]).clamp(min=0.0)
    weights = weights / weights.sum(dim=2, keepdim=True).clamp(min=1e-6)
    return weights * ((places >= -0.5) & (places <= inputs - 0.5))[:, :, None]
