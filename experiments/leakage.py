"""Shows what a leak is worth: slices shuffled, or patients held out, on the same data.

python -m experiments.leakage --workdir=DIR [--data=DIR ...]
"""

from pathlib import Path

from absl import flags
from ml_collections import config_flags

import configs
from liverjax.commands import app
from liverjax.commands.data import folders
from liverjax.datasets.phantom.patient import PhantomSpec
from liverjax.datasets.volumes import phantom_volumes, read_pairs
from liverjax.io.atomic import make_folder, write_json, write_text
from liverjax.protocol import CrossValidationConfig
from liverjax.reporting.leakage import protocol_table, save_protocols
from liverjax.reporting.markdown import markdown_table
from liverjax.reporting.table import plain_text
from liverjax.validation import validate_protocol
from liverjax.workflows.leakage import compare_protocols, dice_pairs

_CONFIG = config_flags.DEFINE_config_file(
    "config", str(Path(configs.__path__[0]) / "leakage.py"), "Networks and folds."
)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder for everything.", required=True)
_DATA = flags.DEFINE_multi_string(
    "data", None, "Folder of LiTS or the Decathlon, once for each; by default phantoms."
)
_COARSEN = flags.DEFINE_integer(
    "coarsen", 4, "Rows and columns of --data that become one; small networks see no more.", 1
)
_PHANTOMS = flags.DEFINE_integer("phantoms", 9, "How many phantoms.", 4)


def main() -> None:
    config = app.config(_CONFIG, CrossValidationConfig)
    validate_protocol(config)
    if _DATA.value is None:
        collection = phantom_volumes(range(1, _PHANTOMS.value + 1), PhantomSpec((24, 128, 128)))
    else:
        collection = read_pairs(folders(_DATA.value), coarsen=_COARSEN.value)
    workdir = make_folder(app.path(_WORKDIR))
    rows = compare_protocols(config, collection, workdir)
    pairs, names = dice_pairs(rows), ("slices shuffled", "patients held out")
    table = protocol_table([row.case for row in rows], pairs, names)
    write_json(workdir / "leakage.json", [vars(row) for row in rows])
    write_text(workdir / "leakage.md", f"{markdown_table(table)}\n")
    save_protocols(workdir / "leakage.png", pairs, names)
    print(plain_text(table))


if __name__ == "__main__":
    app.run(main)
