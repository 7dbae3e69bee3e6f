"""Trains or resumes one network.

python -m experiments.train --config=configs/liver_resunet.py --workdir=DIR
"""

from absl import flags
from ml_collections import config_flags

from liverjax.commands import app
from liverjax.training.devices import join_processes
from liverjax.workflows.train import train_prepared

_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "What to train; fields change with e.g. --config.epochs=3."
)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of this run.", required=True)
_DATA_DIR = flags.DEFINE_string("data_dir", "data", "Folder with prepared datasets.")
_COORDINATOR = flags.DEFINE_string(
    "coordinator", None, "HOST:PORT of process 0, where several processes train together."
)
_PROCESSES = flags.DEFINE_integer("processes", 1, "How many processes train together.")
_PROCESS = flags.DEFINE_integer("process", 0, "Which of them this one is, from 0.")
flags.mark_flag_as_required("config")


def main() -> None:
    join_processes(_COORDINATOR.value, _PROCESSES.value, _PROCESS.value)
    train_prepared(_CONFIG.value, app.path(_DATA_DIR), app.path(_WORKDIR))


if __name__ == "__main__":
    app.run(main)
