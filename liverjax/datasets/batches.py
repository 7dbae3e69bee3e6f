"""From numbers of slices to batches; pixels are asked for where they are needed."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from liverjax.batch import HostBatch, neighbor_stacks
from liverjax.datasets.slices import PatientSummary
from liverjax.errors import InputError

# (name of the feature, numbers of slices) -> their pixels [H, W, 1], one after the other.
Inflate = Callable[[str, np.ndarray], Iterator[np.ndarray]]


class SliceTable(NamedTuple):
    """What is known of the N slices of some patients, in order, apart from their pixels.

    Attributes:
        size: height and width in pixels.
        spacing: float32 [N, 2], mm per pixel of rows and columns.
        shows_tumor: bool [N].
        ends: int [2, N], the first and last slice of the same patient.
        chosen: int [M], the numbers of the slices that are used.
    """

    size: tuple[int, int]
    spacing: np.ndarray
    shows_tumor: np.ndarray
    ends: np.ndarray
    chosen: np.ndarray


def make_table(
    dataset: str,
    selected: Mapping[str, PatientSummary],
    examples: Mapping[str, np.ndarray],
    liver_only: bool,
) -> SliceTable:
    """The table of some patients' slices.

    Args:
        dataset: its name, for messages.
        selected: the patients in the order of their slices, all of one size.
        examples: what `slice_examples` yields, stacked, pixels left out.
        liver_only: whether slices without liver are left out of `chosen`.

    Raises:
        InputError: the slices are not the patients', in order.
    """
    counts = [summary.slices for summary in selected.values()]
    numbers = np.concatenate([np.arange(count) for count in counts])
    if not np.array_equal(examples["slice_index"], numbers):
        raise InputError(
            f"{dataset}: the slices of {', '.join(selected)} are not complete and in order; "
            "rebuild it"
        )
    first = np.repeat(np.cumsum([0, *counts[:-1]]), counts)
    summary = next(iter(selected.values()))
    return SliceTable(
        size=(summary.height, summary.width),
        spacing=examples["spacing"][:, 1:],
        shows_tumor=examples["tumor_pixels"] > 0,
        ends=np.stack([first, first + np.repeat(counts, counts) - 1]),
        chosen=np.flatnonzero((examples["liver_pixels"] > 0) | (not liver_only)),
    )


def make_batches(
    plan: np.ndarray, table: SliceTable, neighbors: int, inflate: Inflate
) -> Iterator[HostBatch]:
    """The batches of `plan`; within one, no image is inflated twice.

    Args:
        plan: numbers of slices, int [steps, batch]; -1 is padding, zeros of weight 0.
        table: of the slices.
        neighbors: slices on each side in `image`.
        inflate: reads pixels.

    Yields:
        See `liverjax.batch`.
    """
    stacks = neighbor_stacks(plan, neighbors, *table.ends[:, plan])
    stacks[plan < 0] = -1
    distinct = [np.unique(stack[stack >= 0]) for stack in stacks]
    images = inflate("image", np.concatenate([np.empty(0, int), *distinct]))
    labels = inflate("label", plan[plan >= 0])
    for row, stack, numbers in zip(plan, stacks, distinct, strict=True):
        image = np.zeros((*stack.shape, *table.size), np.int16)
        for number in numbers:
            image[stack == number] = next(images)[..., 0]
        present = row >= 0
        label = np.zeros((len(row), *table.size, 1), np.uint8)
        for place in np.flatnonzero(present):
            label[place] = next(labels)
        yield {
            "image": np.moveaxis(image, 1, -1),
            "label": label,
            "weight": present.astype(np.float32),
            "spacing": table.spacing[row] * present[:, None].astype(np.float32),
        }
