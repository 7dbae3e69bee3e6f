"""Reads a prepared TFDS dataset: opens, selects, orders, shuffles, batches; changes no value."""

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

# Before the import: TensorFlow greets at start-up and tells of operations that are not used here.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import tensorflow as tf
import tensorflow_datasets as tfds

from liverjax.datasets.slices import PatientSummary
from liverjax.datasets.splits import check_disjoint
from liverjax.errors import ConfigError, InputError, SplitError
from liverjax.volume import Geometry, Segmentation, Volume

Batch = dict[str, np.ndarray]

tf.config.set_visible_devices([], "GPU")  # TensorFlow only reads files; the memory is for JAX
# TFDS warns of a call that it makes itself.
logging.getLogger("absl").addFilter(lambda line: "FeatureConnector.dtype" not in str(line.msg))


def open_dataset(name: str, data_dir: Path) -> tfds.core.DatasetBuilder:
    """The newest prepared version of a dataset, for reading.

    Raises:
        InputError: nothing is prepared there; says how to build it.
    """
    versions = [
        (tfds.core.Version(path.parent.name), path.parent)
        for path in data_dir.glob(f"{name}/*/dataset_info.json")
        if tfds.core.Version.is_valid(path.parent.name)
    ]
    if not versions:
        raise InputError(
            f"{data_dir}: holds no prepared dataset {name}; build it with `python -m "
            f"experiments.build_dataset --dataset={name} --manual_dir=DIR --data_dir={data_dir}`"
        )
    return tfds.builder_from_directory(max(versions)[1])


def summaries(builder: tfds.core.DatasetBuilder) -> dict[str, PatientSummary]:
    """What the dataset knows of each of its patients, by name."""
    found = builder.info.metadata["patients"]
    return {name: PatientSummary(**found[name]) for name in sorted(found)}


def dataset_fingerprint(builder: tfds.core.DatasetBuilder) -> str:
    """SHA-256 in hex of name, version and the patients' fingerprints: equal for equal examples."""
    patients = {name: summary.fingerprint for name, summary in summaries(builder).items()}
    text = json.dumps([builder.name, str(builder.version), patients], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def read_volume(builder: tfds.core.DatasetBuilder, patient: str) -> tuple[Volume, Segmentation]:
    """One patient's split, put together again.

    Raises:
        SplitError: the dataset does not hold the patient.
        InputError: the slices read are not the patient's, in order.
    """
    summary = _select(builder, [patient])[0]
    slices = [*builder.as_dataset(split=patient, read_config=_read_config()).as_numpy_iterator()]
    found = [(s["patient"].decode(), int(s["slice_index"])) for s in slices]
    if found != [(patient, index) for index in range(summary.slices)]:
        raise InputError(
            f"{builder.name}: the slices of {patient} are not complete and in order; rebuild it"
        )
    x, y, z = _decimals(slices[0]["position"])
    dz, dy, dx = _decimals(slices[0]["spacing"])
    geometry = Geometry.from_axes((x, y, z), (dz, dy, dx))
    volume = Volume(np.stack([s["image"][..., 0] for s in slices]), geometry)
    return volume, Segmentation(np.stack([s["label"][..., 0] for s in slices]), geometry)


class SliceSource:
    """Batches of a prepared dataset's slices, for training and for evaluation on slices.

    A batch is a dict of image int16 [B, H, W, 1] in HU, label uint8 [B, H, W, 1] and weight
    float32 [B], 1 for slices and 0 for padding.
    """

    def __init__(
        self,
        builder: tfds.core.DatasetBuilder,
        patients: Sequence[str],
        *,
        batch_size: int,
        seed: int = 0,
        liver_only: bool = False,
    ) -> None:
        """Chooses the slices; none is read yet.

        Args:
            builder: from `open_dataset`.
            patients: whose slices, in this order.
            batch_size: slices per batch.
            seed: of the shuffling.
            liver_only: leaves out slices without liver.

        Raises:
            SplitError: no patient, one named twice, one that the dataset does not hold, or no
                slice is left.
            InputError: the patients' slices differ in size, so they cannot share a batch.
        """
        chosen = dict(zip(patients, _select(builder, patients), strict=True))
        sizes = {name: (summary.height, summary.width) for name, summary in chosen.items()}
        if len(set(sizes.values())) > 1:
            listing = ", ".join(f"{name} {h}x{w}" for name, (h, w) in sizes.items())
            raise InputError(
                f"{builder.name}: expected slices of one size, found {listing}; "
                "choose patients of one size"
            )
        self._builder = builder
        self._patients = tuple(patients)
        self._batch_size = batch_size
        self._seed = seed
        self._liver_only = liver_only
        self.num_slices = sum(
            summary.liver_slices if liver_only else summary.slices for summary in chosen.values()
        )
        if not self.num_slices:
            raise SplitError(f"{builder.name}: {', '.join(patients)} have no slice with liver")

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in an epoch of training.

        Raises:
            ConfigError: there are fewer slices than one batch.
        """
        if self.num_slices < self._batch_size:
            kind = "slices with liver" if self._liver_only else "slices"
            raise ConfigError(
                f"config.batch_size: {', '.join(self._patients)} have {self.num_slices} {kind}, "
                f"fewer than one batch of {self._batch_size}; lower it or add patients"
            )
        return self.num_slices // self._batch_size

    def train_batches(self, epoch: int) -> Iterator[Batch]:
        """`steps_per_epoch` batches in an order that follows from seed and epoch alone.

        Raises:
            ConfigError: there are fewer slices than one batch.
        """
        steps = self.steps_per_epoch
        words = np.random.SeedSequence([self._seed % 2**32, epoch]).generate_state(1)
        # Encoded slices are a third of decoded ones and the buffer holds all, so the shuffle is
        # complete.
        encoded = self._encoded().shuffle(
            self.num_slices, seed=int(words[0]), reshuffle_each_iteration=False
        )
        yield from self._batches(encoded, steps)

    def eval_batches(self) -> Iterator[Batch]:
        """All slices in order; the last batch is padded with zeros of weight 0."""
        yield from self._batches(self._encoded(), -(-self.num_slices // self._batch_size))

    def _encoded(self) -> tf.data.Dataset:
        """The chosen slices in order, image and label still compressed."""
        skip = tfds.decode.SkipDecoding()
        encoded = self._builder.as_dataset(
            split="+".join(self._patients),
            decoders={"image": skip, "label": skip},
            read_config=_read_config(),
        )
        if self._liver_only:
            encoded = encoded.filter(lambda example: example["liver_pixels"] > 0)
        return encoded

    def _batches(self, encoded: tf.data.Dataset, steps: int) -> Iterator[Batch]:
        """The first `steps` batches of `encoded`, inflated, all of `batch_size` slices."""
        features = self._builder.info.features

        def decode(example: dict[str, Any]) -> dict[str, tf.Tensor]:
            return {
                name: features[name].decode_example(example[name]) for name in ("image", "label")
            }

        batches = (
            encoded.map(decode, num_parallel_calls=tf.data.AUTOTUNE)
            .batch(self._batch_size)
            .take(steps)
            .prefetch(2)
        )
        for batch in batches.as_numpy_iterator():
            yield _pad(batch, self._batch_size)


def _select(builder: tfds.core.DatasetBuilder, patients: Sequence[str]) -> list[PatientSummary]:
    """The summaries of `patients`.

    Raises:
        SplitError: no patient, one named twice, or one that the dataset does not hold.
    """
    if not patients:
        raise SplitError(f"{builder.name}: expected one patient or more, found none")
    check_disjoint({"the list of patients": patients})
    held = summaries(builder)
    unknown = [patient for patient in patients if patient not in held]
    if unknown:
        raise SplitError(
            f"{builder.name}: does not hold {', '.join(unknown)}; it holds {', '.join(held)}"
        )
    return [held[patient] for patient in patients]


def _decimals(values: np.ndarray) -> list[float]:
    """float32 numbers as the shortest decimals that they stand for: 1.6, not 1.600000024."""
    return [float(str(value)) for value in values]


def _read_config() -> tfds.ReadConfig:
    """Reads files one after the other, in order, and keeps nothing in memory between epochs."""
    options = tf.data.Options()
    options.deterministic = True
    return tfds.ReadConfig(options=options, interleave_cycle_length=1, try_autocache=False)


def _pad(batch: Batch, size: int) -> Batch:
    """`batch` with weights, filled up with zeros to `size` slices."""
    count = len(batch["image"])
    padded = {
        name: np.pad(values, [(0, size - count)] + [(0, 0)] * (values.ndim - 1))
        if count < size
        else values
        for name, values in batch.items()
    }
    return {**padded, "weight": (np.arange(size) < count).astype(np.float32)}
