"""Flags of the commands that train and judge: whose CTs, prepared or read as they are."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from absl import flags

from liverjax.commands import app
from liverjax.datasets.collection import Collection
from liverjax.datasets.pairs.label_map import parse_label_map
from liverjax.datasets.pairs.layouts import PairOptions
from liverjax.datasets.volumes import PAIRS, read_pairs
from liverjax.errors import ConfigError
from liverjax.workflows.prepared import open_prepared


class PairFlags(NamedTuple):
    """See `pairs.layouts.PairOptions`."""

    label_map: flags.FlagHolder[str | None]
    images: flags.FlagHolder[str | None]
    labels: flags.FlagHolder[str | None]
    spacing_known: flags.FlagHolder[bool | None]


class DataFlags(NamedTuple):
    """Where the patients are; see `open_data`."""

    data_dir: flags.FlagHolder[str | None]
    data: flags.FlagHolder[list[str] | None]
    coarsen: flags.FlagHolder[int]
    exclude: flags.FlagHolder[list[str] | None]
    pairs: PairFlags


def define_pair_flags() -> PairFlags:
    """Defines what cannot be told from the files of LiTS and the like."""
    return PairFlags(
        flags.DEFINE_string(
            "label_map",
            None,
            "What the values of one's own labels mean, such as liver=1+2,tumor=2; without tumor, "
            "tumours were not annotated.",
        ),
        flags.DEFINE_string(
            "images",
            None,
            "Pattern of one's own CTs below the folder, such as */ct.nii.gz; the first * is the "
            "patient. NIfTI files, or folders or archives of DICOM files.",
        ),
        flags.DEFINE_string(
            "labels", None, "Likewise of their labels, NIfTI or DICOM segmentations."
        ),
        flags.DEFINE_bool(
            "spacing_known",
            None,
            "NIfTI only: whether its voxel size is real. By default it is taken as a placeholder, "
            "so that nothing is computed in mm, where voxels are exactly 1 mm along all axes and "
            "the first lies at whole millimetres or the unit is unknown.",
        ),
    )


def define_data_flags() -> DataFlags:
    """Defines where the patients are, for `open_data`."""
    return DataFlags(
        flags.DEFINE_string("data_dir", "data", "Folder with prepared datasets."),
        flags.DEFINE_multi_string(
            "data",
            None,
            "In place of --data_dir: folder with CTs and labels of LiTS, the Decathlon, BTCV, "
            "nnU-Net or one's own, read into memory as the dataset lits; given once for each.",
        ),
        flags.DEFINE_integer(
            "coarsen",
            1,
            "Rows and columns of --data that become one; small networks see no more.",
            1,
        ),
        flags.DEFINE_list(
            "exclude",
            None,
            "Patients of --data that are left out, by name or by a pattern such as volume-3?.",
        ),
        define_pair_flags(),
    )


def pair_options(given: PairFlags) -> PairOptions:
    """The options that the flags ask for.

    Raises:
        InputError: the label map is none.
    """
    text = given.label_map.value
    return PairOptions(
        None if text is None else parse_label_map(text),
        given.images.value or "",
        given.labels.value or "",
        given.spacing_known.value,
    )


def open_data(given: DataFlags, name: str) -> Collection:
    """The patients that the flags ask for.

    Args:
        given: the flags.
        name: of the dataset, which is prepared in --data_dir unless --data is given.

    Raises:
        ConfigError: flags that are for --data without it, or a dataset that --data cannot be.
        InputError: nothing is prepared there, or files that cannot be read.
    """
    options, coarsen = pair_options(given.pairs), given.coarsen.value
    exclude = given.exclude.value or ()
    if given.data.value is None:
        if options != PairOptions() or coarsen != 1 or exclude:
            raise ConfigError(
                "--coarsen, --exclude, --label_map, --images, --labels, --spacing_known: expected "
                "--data with them, as a prepared dataset is as it was built"
            )
        return open_prepared(name, app.path(given.data_dir))
    if name != PAIRS:
        raise ConfigError(
            f"--data: expected the dataset {PAIRS}, which is what files make; found {name}; "
            f"choose {PAIRS} by --dataset or --config.dataset.name, of both stages where there are "
            "two"
        )
    return read_pairs(folders(given.data.value), options, coarsen, exclude)


def folders(texts: Sequence[str] | None) -> list[Path]:
    """The paths in a flag that may be given several times, with `~` spelt out."""
    return [Path(text).expanduser() for text in texts or ()]
