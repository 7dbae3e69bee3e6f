"""Batches of a prepared TFDS dataset: selects, orders, shuffles, batches; changes no value."""

import functools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from liverjax.batch import HostBatch
from liverjax.datasets.batches import SliceTable, make_batches, make_table
from liverjax.datasets.livers import Livers, PackedMasks, check_livers
from liverjax.datasets.order import AS_THEY_COME, Sampling, Shown
from liverjax.datasets.planned import PlannedSource
from liverjax.datasets.slices import check_one_size
from liverjax.errors import ConfigError, SplitError
from liverjax.input_pipeline.reader import (  # TensorFlow as set up there
    read_config,
    select,
    tf,
    tfds,
)
from liverjax.labels import tumor_mask

# Slices that cross from TensorFlow at a time.
_CHUNK = 16


class SliceSource(PlannedSource):
    """Batches of a prepared dataset's slices, for training and for evaluation on slices.

    See `liverjax.batch`. The compressed slices, a third of their size, are read once and stay in
    memory; each batch inflates what it needs.
    """

    def __init__(
        self,
        builder: tfds.core.DatasetBuilder,
        patients: Sequence[str],
        *,
        batch_size: int,
        sampling: Sampling = AS_THEY_COME,
        liver_only: bool = False,
        neighbors: int = 0,
        copies: bool = False,
        share: tuple[int, int] = (0, 1),
        livers: Livers | None = None,
    ) -> None:
        """Chooses the slices; none is read yet.

        Args:
            builder: from `open_dataset`.
            patients: whose slices, in this order.
            batch_size, sampling, copies, share: see `PlannedSource`; no
                pixel of another process's rows is read.
            liver_only: leaves out slices without liver, except as neighbours.
            neighbors: slices of the same patient on each side that come with every slice.
            livers: of each patient, to stand for the liver of the reference; see
                `datasets.livers.within`.

        Raises:
            SplitError: no patient, one named twice, one that the dataset does not hold, or no
                slice is left.
            InputError: the patients' slices differ in size, so they cannot share a batch, or a
                liver is missing or of another shape.
            ConfigError: `batch_size` cannot be shared evenly, or `sampling` asks for tumours
                where there are none.
        """
        selected = select(builder, patients)
        check_one_size(builder.name, selected)
        super().__init__(
            batch_size=batch_size,
            sampling=sampling,
            copies=copies,
            share=share,
        )
        self._builder = builder
        self._patients = tuple(patients)
        self._liver_only = liver_only
        self._neighbors = neighbors
        self._livers: PackedMasks | None = None
        if livers is not None:
            check_livers(livers, patients, selected)
            self._livers = PackedMasks([livers[patient] for patient in patients])
        chosen = selected.values()
        self._without_copies = sum(
            summary.liver_slices if liver_only else summary.slices for summary in chosen
        )
        if self._livers is not None and liver_only:
            self._without_copies = int(np.count_nonzero(self._livers.pixels))
        if not self._without_copies:
            raise SplitError(f"{builder.name}: {', '.join(patients)} have no slice with liver")
        if sampling.tumor_share and not any(summary.tumor_voxels for summary in chosen):
            raise ConfigError(
                f"config.tumor_share: {', '.join(patients)} have no slice with tumour, so no "
                f"batch can hold {sampling.tumor_share} of them; set it to 0 or add patients with "
                "tumours"
            )

    @property
    def num_slices(self) -> int:
        """See `PlannedSource`; to count copies, the slices are read."""
        return len(self._slices.table.chosen) if self.copies else self._without_copies

    def _supply(self) -> str:
        kind = "slices with liver" if self._liver_only else "slices"
        return f"{', '.join(self._patients)} have {self.num_slices} {kind}"

    @functools.cached_property
    def _slices(self) -> "_Slices":
        return _read_slices(
            self._builder, self._patients, self._liver_only, self.copies, self._livers
        )

    def _shown(self) -> Shown:
        return self._slices.table.shown

    def _batches(self, plan: np.ndarray) -> Iterator[HostBatch]:
        """See `PlannedSource`; padding is zeros."""
        return make_batches(plan, self._slices.table, self._neighbors, self._inflated)

    def _inflated(self, name: str, numbers: np.ndarray) -> Iterator[np.ndarray]:
        """Images or labels [H, W, 1] of the slices with these numbers."""
        pixels = _inflate(self._builder, name, self._slices.encoded[name], numbers)
        if name == "label" and self._livers is not None:
            return self._livers.restrict(numbers, pixels)
        return pixels


def _inflate(
    builder: tfds.core.DatasetBuilder, name: str, encoded: Any, numbers: np.ndarray
) -> Iterator[np.ndarray]:
    """Pixels [H, W, 1] of the slices with these numbers, of one feature as it is stored."""
    feature = builder.info.features[name]

    def inflate(number: tf.Tensor) -> tf.Tensor:
        one = tf.nest.map_structure(lambda values: tf.gather(values, number), encoded)
        return feature.decode_example(one)

    chunks = (
        tf.data.Dataset.from_tensor_slices(numbers)
        .map(inflate, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(_CHUNK)
        .prefetch(2)
    )
    return (pixels for chunk in chunks.as_numpy_iterator() for pixels in chunk)


class _Slices(NamedTuple):
    """All slices of some patients, in order: `image` and `label` compressed, and the rest."""

    encoded: dict[str, Any]
    table: SliceTable


def _read_slices(
    builder: tfds.core.DatasetBuilder,
    patients: Sequence[str],
    liver_only: bool,
    copies: bool,
    livers: PackedMasks | None,
) -> _Slices:
    """Reads every slice of the patients, pixels still compressed.

    Raises:
        InputError: the slices read are not the patients', in order.
    """
    selected = select(builder, patients)
    total = sum(summary.slices for summary in selected.values())
    skipped = {name: tfds.decode.SkipDecoding() for name in ("image", "label")}
    dataset = builder.as_dataset(
        split="+".join(patients),
        decoders=skipped,
        read_config=read_config(),
    )
    # One more than there should be, so that a surplus is found too.
    found = dataset.batch(total + 1).take(1).get_single_element()
    examples = {name: values.numpy() for name, values in found.items() if name not in skipped}
    if livers is not None:
        with_tumor = np.flatnonzero(examples["tumor_pixels"])
        labels = _inflate(builder, "label", found["label"], with_tumor)
        examples["tumor_pixels"] = examples["tumor_pixels"].copy()  # TensorFlow's own is read-only
        for number, label in zip(with_tumor, livers.restrict(with_tumor, labels), strict=True):
            examples["tumor_pixels"][number] = np.count_nonzero(tumor_mask(label))
        examples["liver_pixels"] = livers.pixels
    table = make_table(builder.name, selected, examples, liver_only=liver_only, with_copies=copies)
    return _Slices({name: found[name] for name in skipped}, table)
