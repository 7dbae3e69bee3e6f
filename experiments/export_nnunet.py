"""Writes patients as a raw dataset of nnU-Net.

python -m experiments.export_nnunet --data=DIR --output=DIR --dataset_id=3 --name=Liver
"""

from absl import flags

from liverjax.commands import app
from liverjax.commands.data import define_data_flags, open_data
from liverjax.datasets.pairs.nnunet import write_nnunet
from liverjax.datasets.volumes import PAIRS

_DATA = define_data_flags()
_DATASET = flags.DEFINE_string("dataset", PAIRS, "Which one of --data_dir.")
_OUTPUT = flags.DEFINE_string("output", None, "Folder to write it into.", required=True)
_DATASET_ID = flags.DEFINE_integer("dataset_id", None, "nnU-Net's number of it.", required=True)
_NAME = flags.DEFINE_string("name", None, "What to call it.", required=True)
_PATIENTS = flags.DEFINE_list("patients", [], "Whom; by default all.")


def main() -> None:
    collection = open_data(_DATA, _DATASET.value)
    output = app.path(_OUTPUT)
    print(write_nnunet(collection, output, _DATASET_ID.value, _NAME.value, _PATIENTS.value))


if __name__ == "__main__":
    app.run(main)
