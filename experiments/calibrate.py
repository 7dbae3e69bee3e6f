"""Chooses thresholds and post-processing of two networks on their validation patients.

python -m experiments.calibrate --liver=DIR --tumor=DIR
"""

from absl import flags

from liverjax.choices import Stage
from liverjax.commands import app
from liverjax.commands.data import define_data_flags, open_data
from liverjax.inference.calibration import FILE_NAME
from liverjax.inference.load import load_networks
from liverjax.workflows.calibrate import calibrate

_LIVER = flags.DEFINE_string("liver", None, "Workdir of the liver network.", required=True)
_TUMOR = flags.DEFINE_string("tumor", None, "Workdir of the tumour network.", required=True)
_DATA = define_data_flags()


def main() -> None:
    runs = {Stage.LIVER: app.path(_LIVER), Stage.TUMOR: app.path(_TUMOR)}
    networks = load_networks(runs, calibrated=False)
    collection = open_data(_DATA, networks[Stage.LIVER].config.dataset.name)
    calibrate(networks, collection)  # tells what it chose
    print("\n".join(str(run / FILE_NAME) for run in runs.values()))


if __name__ == "__main__":
    app.run(main)
