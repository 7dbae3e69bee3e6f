"""Lays the download out for the thesis' notebooks: `python -m experiments.export_thesis`."""

from absl import flags

from liverjax.commands import app
from liverjax.workflows import export_thesis

_MANUAL_DIR = flags.DEFINE_string(
    "manual_dir", None, "Folder with the patients as downloaded, packed or unpacked.", required=True
)
_OUTPUT = flags.DEFINE_string(
    "output", None, "Folder that gets train/patients and train/masks.", required=True
)
_PATIENTS = flags.DEFINE_list(
    "patients", [], "Patients to export, such as patient04,patient17; by default all."
)


def main() -> None:
    output = app.path(_OUTPUT)
    exported = export_thesis.export_thesis(app.path(_MANUAL_DIR), output, _PATIENTS.value)
    print(export_thesis.format_summary(exported, output))


if __name__ == "__main__":
    app.run(main)
