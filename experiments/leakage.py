"""Shows what a leak is worth: slices shuffled, or patients held out, on the same data.

python -m experiments.leakage --workdir=DIR [--data=DIR]
"""

from absl import flags
from ml_collections import config_flags

from configs.leakage import get_config
from experiments import app
from liverjax.datasets.phantom.patient import PhantomSpec
from liverjax.datasets.volumes import phantom_volumes, read_volumes
from liverjax.io.atomic import make_folder, write_json, write_text
from liverjax.reporting.leakage import save_protocols
from liverjax.workflows import leakage

_CONFIG = config_flags.DEFINE_config_dataclass("config", get_config(), "Networks and folds.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder for everything.", required=True)
_DATA = flags.DEFINE_string(
    "data", None, "Folder of volume-N.nii.gz and segmentation-N.nii.gz; by default phantoms."
)
_COARSEN = flags.DEFINE_integer(
    "coarsen", 4, "Rows and columns of --data that become one; small networks see no more.", 1
)
_PHANTOMS = flags.DEFINE_integer("phantoms", 9, "How many phantoms.", 4)


def main() -> None:
    if _DATA.value is None:
        collection = phantom_volumes(range(1, _PHANTOMS.value + 1), PhantomSpec((24, 128, 128)))
    else:
        collection = read_volumes(app.path(_DATA), _COARSEN.value)
    workdir = make_folder(app.path(_WORKDIR))
    rows = leakage.compare_protocols(_CONFIG.value, collection, workdir)
    table = leakage.format_leakage(rows)
    write_json(workdir / "leakage.json", [vars(row) for row in rows])
    write_text(workdir / "leakage.md", f"{table}\n")
    pairs = {
        "liver": [(row.slices_liver, row.patients_liver) for row in rows],
        "tumour": [(row.slices_tumor, row.patients_tumor) for row in rows],
    }
    save_protocols(workdir / "leakage.png", pairs, ("slices shuffled", "patients held out"))
    print(table)


if __name__ == "__main__":
    app.run(main)
