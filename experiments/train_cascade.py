"""Trains both networks of a cascade on all patients of a dataset.

python -m experiments.train_cascade --config=configs/shipped.py --data=LITS --workdir=DIR
"""

from absl import flags
from ml_collections import config_flags

from liverjax.commands import app
from liverjax.commands.data import define_data_flags, open_data
from liverjax.protocol import CrossValidationConfig
from liverjax.validation import validate_protocol
from liverjax.workflows.train_cascade import train_cascade

_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Both stages; fields change with e.g. --config.liver.epochs=3."
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder for liver/, tumor/ and what they need.", required=True
)
_DATA = define_data_flags()
flags.mark_flag_as_required("config")


def main() -> None:
    config = app.config(_CONFIG, CrossValidationConfig)
    validate_protocol(config)
    collection = open_data(_DATA, config.liver.dataset.name)
    runs = train_cascade(config, collection, app.path(_WORKDIR))
    for stage, run in runs.items():
        print(f"{stage.value}: {run}")


if __name__ == "__main__":
    app.run(main)
