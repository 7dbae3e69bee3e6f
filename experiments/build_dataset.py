"""Prepares a dataset for training: `python -m experiments.build_dataset --manual_dir=DIR`."""

from absl import flags

from liverjax.commands import app
from liverjax.commands.data import define_pair_flags, folders, pair_options
from liverjax.workflows import build_dataset

_DATASET = flags.DEFINE_enum("dataset", "ircadb", build_dataset.DATASETS, "What to build.")
_MANUAL_DIR = flags.DEFINE_multi_string(
    "manual_dir",
    None,
    "Folder with the patients as downloaded, packed or unpacked, or in the thesis' folders. With "
    "--dataset=lits given once for each data set.",
    required=True,
)
_DATA_DIR = flags.DEFINE_string("data_dir", "data", "Folder for prepared datasets.")
_REBUILD = flags.DEFINE_bool("rebuild", False, "Builds anew and replaces what was prepared.")
_PAIRS = define_pair_flags()


def main() -> None:
    summary = build_dataset.build_dataset(
        _DATASET.value,
        folders(_MANUAL_DIR.value),
        app.path(_DATA_DIR),
        rebuild=_REBUILD.value,
        options=pair_options(_PAIRS),
    )
    print(build_dataset.format_summary(summary))


if __name__ == "__main__":
    app.run(main)
