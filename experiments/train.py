"""Trains or resumes one network.

python -m experiments.train --config=configs/liver_resunet.py --workdir=DIR
"""

from absl import flags
from ml_collections import config_flags

from experiments import app
from liverjax.workflows.train import train

_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "What to train; fields change with e.g. --config.epochs=3."
)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of this run.", required=True)
_DATA_DIR = flags.DEFINE_string("data_dir", "data", "Folder with prepared datasets.")
flags.mark_flag_as_required("config")


def main() -> None:
    train(_CONFIG.value, app.path(_DATA_DIR), app.path(_WORKDIR))


if __name__ == "__main__":
    app.run(main)
