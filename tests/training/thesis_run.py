"""Trains a configuration of the thesis on 256 phantom slices, and tells the Dice of each epoch.

python -m tests.training.thesis_run WORKDIR --stage=liver --size=128 [--copies] [--epochs=20]

Says whether the recipe learns at all, in minutes on two cores; phantoms are no patients. The
slices are 8 phantoms of 32 slices. Without --copies an epoch is these; with it, those with tumour
come 37 times.
"""

import argparse
import dataclasses
import sys
from pathlib import Path

import numpy as np

from configs import thesis_liver, thesis_tumor
from liverjax.choices import Stage
from liverjax.commands.app import show_progress
from liverjax.datasets.in_memory import InMemorySource
from liverjax.datasets.order import Sampling
from liverjax.datasets.phantom.patient import PhantomSpec
from liverjax.datasets.volumes import phantom_volumes
from liverjax.process import keep_freed_memory
from liverjax.training.log import read_metrics
from liverjax.training.loop import fit

PHANTOMS = range(1, 9)
SPEC = PhantomSpec((32, 256, 256))


def phantom_slices():
    collection = phantom_volumes(PHANTOMS, SPEC)
    pairs = [collection.read(name) for name in collection.summaries]
    images = np.concatenate([volume.hu for volume, _ in pairs])
    return images[..., None], np.concatenate([each.labels for _, each in pairs])[..., None]


def thesis_config(stage, size, copies):
    config = {Stage.LIVER: thesis_liver, Stage.TUMOR: thesis_tumor}[stage].get_config()
    config.preprocess = dataclasses.replace(config.preprocess, size=size)
    config.augment = dataclasses.replace(config.augment, copies=copies)
    return config


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workdir", type=Path)
    parser.add_argument("--stage", type=Stage, default=Stage.LIVER)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--copies", action="store_true")
    parser.add_argument("--epochs", type=int)
    options = parser.parse_args()
    keep_freed_memory()
    show_progress()
    config = thesis_config(options.stage, options.size, options.copies)
    config.epochs = options.epochs or config.epochs
    source = InMemorySource(
        *phantom_slices(),
        batch_size=config.batch_size,
        sampling=Sampling(config.seed),
        copies=options.copies,
    )
    print(f"{source.num_slices} slices per epoch, {source.steps_per_epoch} steps", flush=True)
    fit(config, source, None, options.workdir, {})
    for record in read_metrics(options.workdir):
        print(
            f"epoch {record['epoch']:>2}  loss {record['train_loss']:.4f}  "
            f"Dice {record['train_dice']:.4f}  {record['seconds']:.0f} s"
        )


if __name__ == "__main__":
    sys.exit(main())
