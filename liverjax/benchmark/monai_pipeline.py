"""The peer of our input pipeline: MONAI's CacheDataset, transforms and DataLoader."""

import math
import warnings

import numpy as np
from monai.data import CacheDataset, DataLoader, set_track_meta, worker_init_fn
from monai.transforms import (
    Compose,
    RandAdjustContrastd,
    RandAffined,
    RandFlipd,
    RandGaussianNoised,
    Resized,
    ScaleIntensityRanged,
)

from liverjax.augment_config import AugmentConfig
from liverjax.benchmark.machine import cores
from liverjax.benchmark.settings import Settings
from liverjax.benchmark.torch_runtime import synchronize, torch_device
from liverjax.benchmark.workload import Scan
from liverjax.config import PreprocessConfig

_KEYS = ("image", "mask")


def build_loader(
    scan: Scan,
    preprocess: PreprocessConfig,
    augment: AugmentConfig,
    settings: Settings,
    workers: int,
) -> DataLoader:
    """A loader over the slices of a scan; what does not change is computed here and cached.

    Workers are started afresh ("spawn"), as a process with JAX's threads must not be forked, and
    live on between epochs. Tensors carry no metadata, which would only take time.
    """
    set_track_meta(False)
    data = [
        {"image": hu[None].astype(np.float32), "mask": _masks(labels)}
        for hu, labels in zip(scan.volume.hu, scan.labels, strict=True)
    ]
    dataset = CacheDataset(
        data, transforms(preprocess, augment), num_workers=cores(), progress=False
    )
    with warnings.catch_warnings():
        # That spawned workers would give metadata; `_prepare_worker` sees to it.
        warnings.filterwarnings("ignore", message=".*MetaTensor")
        return DataLoader(
            dataset,
            batch_size=settings.batch_size,
            shuffle=True,
            drop_last=True,
            num_workers=workers,
            persistent_workers=workers > 0,
            multiprocessing_context="spawn" if workers else None,
            worker_init_fn=_prepare_worker if workers else None,
            pin_memory=torch_device().type == "cuda",
        )


def transforms(preprocess: PreprocessConfig, augment: AugmentConfig) -> Compose:
    """Window and size, then the random part; MONAI caches up to the first random transform.

    Ranges and probabilities are those of `AugmentConfig`; noise, in HU, becomes a part of the
    window. MONAI has the cheaper order: it windows once, we after augmentation.
    """
    size, low, high = preprocess.size, preprocess.window_low, preprocess.window_high
    gamma = (1.0 / (1.0 + augment.gamma), 1.0 + augment.gamma)
    return Compose(
        [
            ScaleIntensityRanged("image", low, high, 0.0, 1.0, clip=True),
            Resized(_KEYS, (size, size), mode=("area", "nearest")),
            RandAffined(
                _KEYS,
                prob=augment.rotation_probability,
                rotate_range=math.radians(augment.rotation),
                scale_range=(augment.zoom, augment.zoom),
                translate_range=(augment.shift * size, augment.shift * size),
                mode=("bilinear", "nearest"),
                padding_mode="zeros",
                cache_grid=True,
                spatial_size=(size, size),
            ),
            RandFlipd(_KEYS, prob=augment.flip_probability, spatial_axis=1),
            RandAdjustContrastd("image", prob=augment.gamma_probability, gamma=gamma),
            RandGaussianNoised(
                "image", prob=augment.noise_probability, std=augment.noise / (high - low)
            ),
        ]
    )


def run_epochs(loader: DataLoader, epochs: int) -> None:
    """Takes every batch to the device; returns when the last is there."""
    device = torch_device()
    for _ in range(epochs):
        for batch in loader:
            for name in _KEYS:
                batch[name].to(device, non_blocking=True)
        synchronize()


def _masks(labels: np.ndarray) -> np.ndarray:
    """Where the network may look and what it shall find: float32 [2, H, W] of 0 and 1."""
    target = (labels > 0).astype(np.float32)
    return np.stack([np.ones_like(target), target])


def _prepare_worker(worker: int) -> None:
    """In each worker process: random draws of its own, and plain tensors there as well."""
    worker_init_fn(worker)
    set_track_meta(False)
