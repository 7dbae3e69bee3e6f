"""Scores the cascade on the patients that its networks hold back.

python -m experiments.evaluate --liver=DIR --tumor=DIR --output=DIR

Without --liver and --tumor the networks are those that come with liverjax.
"""

from absl import flags

from liverjax.choices import Stage
from liverjax.commands import app
from liverjax.commands.data import define_data_flags, open_data
from liverjax.inference.bundle import open_networks
from liverjax.reporting.score_tables import short_table
from liverjax.reporting.table import plain_text
from liverjax.workflows.figures import evaluate_and_draw

_LIVER = flags.DEFINE_string("liver", None, "Workdir of a liver network of your own.")
_TUMOR = flags.DEFINE_string("tumor", None, "Workdir of a tumour network of your own.")
_WEIGHTS = flags.DEFINE_string(
    "weights", None, "Folder that experiments.ship wrote, in place of both."
)
_OUTPUT = flags.DEFINE_string(
    "output", None, "Folder for index.html, tables and figures.", required=True
)
_DATA = define_data_flags()
_ALLOW_SEEN = flags.DEFINE_bool(
    "allow_seen", False, "Scores patients that a network has seen, too, and marks the figures."
)
_DATASET = flags.DEFINE_string(
    "dataset", None, "Whose patients to score; by default the one that was trained on."
)
_PATIENTS = flags.DEFINE_list(
    "patients", [], "Whom to score; by default the test patients, or all of one's own files."
)


def main() -> None:
    app.check_networks(_LIVER, _TUMOR, _WEIGHTS)
    networks = open_networks(*(app.optional_path(flag) for flag in (_LIVER, _TUMOR, _WEIGHTS)))
    name = _DATASET.value or networks[Stage.LIVER].config.dataset.name
    found = evaluate_and_draw(
        networks,
        open_data(_DATA, name),
        app.path(_OUTPUT),
        _PATIENTS.value,
        allow_seen=_ALLOW_SEEN.value,
    )
    print(plain_text(short_table(found.cases)))
    if found.seen:
        print(f"\nnot held out, seen by a network: {', '.join(found.seen)}")


if __name__ == "__main__":
    app.run(main)
