"""From numbers of slices to batches; pixels are asked for where they are needed."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from liverjax.batch import HostBatch, neighbor_stacks
from liverjax.datasets.copies import list_copies
from liverjax.datasets.order import Shown
from liverjax.datasets.slices import PatientSummary
from liverjax.errors import InputError

# (name of the feature, numbers of slices) -> their pixels [H, W, 1], one after the other.
Inflate = Callable[[str, np.ndarray], Iterator[np.ndarray]]


class SliceTable(NamedTuple):
    """What is known of the N slices of some patients, in order, apart from their pixels.

    Attributes:
        size: height and width in pixels.
        spacing: float32 [N, 2], mm per pixel of rows and columns.
        ends: int [2, N], the first and last slice of the same patient.
        chosen: int [M], the numbers of the slices that are used, copies among them.
        copies: int32 [M], as which copy each of these is seen (see `datasets.copies`); None
            where none are made.
        shown: what each of these shows, and whose it is.
    """

    size: tuple[int, int]
    spacing: np.ndarray
    ends: np.ndarray
    chosen: np.ndarray
    copies: np.ndarray | None
    shown: Shown


def make_table(
    dataset: str,
    selected: Mapping[str, PatientSummary],
    examples: Mapping[str, np.ndarray],
    *,
    liver_only: bool,
    with_copies: bool = False,
) -> SliceTable:
    """The table of some patients' slices.

    Args:
        dataset: its name, for messages.
        selected: the patients in the order of their slices, all of one size.
        examples: what `slice_examples` yields, stacked, pixels left out.
        liver_only: whether slices without liver are left out of `chosen`.
        with_copies: whether `chosen` holds copies of the slices with tumour.

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
    whose = np.repeat(np.arange(len(counts)), counts)
    summary = next(iter(selected.values()))
    shows_liver, shows_tumor = examples["liver_pixels"] > 0, examples["tumor_pixels"] > 0
    chosen, copies = np.flatnonzero(shows_liver | (not liver_only)), None
    if with_copies:
        rows, copies = list_copies(shows_tumor[chosen])
        chosen = chosen[rows]
    return SliceTable(
        size=(summary.height, summary.width),
        spacing=examples["spacing"][:, 1:],
        ends=np.stack([first, first + np.repeat(counts, counts) - 1]),
        chosen=chosen,
        copies=copies,
        shown=Shown(shows_liver[chosen], shows_tumor[chosen], whose[chosen]),
    )


def make_batches(
    plan: np.ndarray, table: SliceTable, neighbors: int, inflate: Inflate
) -> Iterator[HostBatch]:
    """The batches of `plan`; within one, no slice is inflated twice.

    Args:
        plan: places in `table.chosen`, int [steps, batch]; -1 is padding, zeros of weight 0.
        table: of the slices.
        neighbors: slices on each side in `image`.
        inflate: reads pixels.

    Yields:
        See `liverjax.batch`.
    """
    numbers = np.where(plan < 0, -1, table.chosen[plan])
    stacks = neighbor_stacks(numbers, neighbors, *table.ends[:, numbers])
    stacks[plan < 0] = -1
    images = inflate("image", np.concatenate([np.empty(0, int), *map(_distinct, stacks)]))
    labels = inflate("label", np.concatenate([np.empty(0, int), *map(_distinct, numbers)]))
    for row, slices, stack in zip(plan, numbers, stacks, strict=True):
        image = np.zeros((*stack.shape, *table.size), np.int16)
        for number in _distinct(stack):
            image[stack == number] = next(images)[..., 0]
        label = np.zeros((len(row), *table.size, 1), np.uint8)
        for number in _distinct(slices):
            label[slices == number] = next(labels)
        present = row >= 0
        batch = {
            "image": np.moveaxis(image, 1, -1),
            "label": label,
            "weight": present.astype(np.float32),
            "spacing": table.spacing[slices] * present[:, None].astype(np.float32),
        }
        if table.copies is not None:
            batch["copy"] = np.where(present, table.copies[row], 0)
        yield batch


def _distinct(numbers: np.ndarray) -> np.ndarray:
    """The different numbers of slices in an array, padding left out."""
    return np.unique(numbers[numbers >= 0])
