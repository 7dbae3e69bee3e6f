"""Trains or resumes one network.

python -m experiments.train --config=configs/liver_resunet.py --workdir=DIR [--data=DIR ...]
"""

from absl import flags
from ml_collections import config_flags

from liverjax.commands import app
from liverjax.commands.data import define_data_flags, open_data
from liverjax.config import ExperimentConfig
from liverjax.training.devices import join_processes
from liverjax.validation import validate
from liverjax.workflows.train import train

_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "What to train; fields change with e.g. --config.epochs=3."
)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of this run.", required=True)
_DATA = define_data_flags()
_COORDINATOR = flags.DEFINE_string(
    "coordinator", None, "HOST:PORT of process 0, where several processes train together."
)
_PROCESSES = flags.DEFINE_integer("processes", 1, "How many processes train together.")
_PROCESS = flags.DEFINE_integer("process", 0, "Which of them this one is, from 0.")
flags.mark_flag_as_required("config")


def main() -> None:
    join_processes(_COORDINATOR.value, _PROCESSES.value, _PROCESS.value)
    config = app.config(_CONFIG, ExperimentConfig)
    validate(config)
    train(config, open_data(_DATA, config.dataset.name), app.path(_WORKDIR))


if __name__ == "__main__":
    app.run(main)
