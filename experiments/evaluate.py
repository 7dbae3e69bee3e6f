"""Scores the cascade on the patients that its networks hold back.

python -m experiments.evaluate --liver=DIR --tumor=DIR --output=DIR
"""

from absl import flags

from liverjax.choices import Stage
from liverjax.commands import app
from liverjax.inference.load import load_networks
from liverjax.reporting.score_tables import short_table
from liverjax.reporting.table import plain_text
from liverjax.workflows.figures import evaluate_and_draw
from liverjax.workflows.prepared import open_prepared

_LIVER = flags.DEFINE_string("liver", None, "Workdir of the liver network.", required=True)
_TUMOR = flags.DEFINE_string("tumor", None, "Workdir of the tumour network.", required=True)
_OUTPUT = flags.DEFINE_string(
    "output", None, "Folder for index.html, tables and figures.", required=True
)
_DATA_DIR = flags.DEFINE_string("data_dir", "data", "Folder with prepared datasets.")
_ALLOW_SEEN = flags.DEFINE_bool(
    "allow_seen", False, "Scores patients that a network has seen, too, and marks the figures."
)
_DATASET = flags.DEFINE_string(
    "dataset", None, "Whose patients to score; by default the one that was trained on."
)
_PATIENTS = flags.DEFINE_list("patients", [], "Whom to score; by default the test patients.")


def main() -> None:
    runs = {Stage.LIVER: app.path(_LIVER), Stage.TUMOR: app.path(_TUMOR)}
    networks = load_networks(runs)
    name = _DATASET.value or networks[Stage.LIVER].config.dataset.name
    found = evaluate_and_draw(
        networks,
        open_prepared(name, app.path(_DATA_DIR)),
        app.path(_OUTPUT),
        _PATIENTS.value,
        allow_seen=_ALLOW_SEEN.value,
    )
    print(plain_text(short_table(found.cases)))
    if found.seen:
        print(f"\nnot held out, seen by a network: {', '.join(found.seen)}")


if __name__ == "__main__":
    app.run(main)
