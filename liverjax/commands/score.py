"""Scores segmentations made by any tool against references, both folders of NIfTI files.

liverjax-score --predictions=DIR --references=DIR --output=DIR
"""

from absl import flags

from liverjax.commands import app
from liverjax.reporting.score_tables import mean_table
from liverjax.reporting.table import plain_text
from liverjax.workflows.report import PAGE
from liverjax.workflows.score import score

_OWN = flags.FlagValues()
_PREDICTIONS = flags.DEFINE_string(
    "predictions",
    None,
    "Folder of NIfTI files: 0 background, 1 liver, 2 tumour.",
    required=True,
    flag_values=_OWN,
)
_REFERENCES = flags.DEFINE_string(
    "references", None, "Folder of NIfTI files of the same names.", required=True, flag_values=_OWN
)
_OUTPUT = flags.DEFINE_string(
    "output", None, "Folder for the report.", required=True, flag_values=_OWN
)
_IMAGES = flags.DEFINE_string(
    "images", None, "Folder of the CTs, to draw slices on.", flag_values=_OWN
)
_SPACING_KNOWN = flags.DEFINE_bool(
    "spacing_known",
    None,
    "Whether voxel sizes are real. By default they are taken as placeholders, so that no figure is "
    "in mm or mL, where voxels are exactly 1 mm along all axes and the first lies at whole "
    "millimetres or the unit is unknown.",
    flag_values=_OWN,
)


def main() -> None:
    """Scores as the flags say; see `liverjax.workflows.score.score`."""
    output = app.path(_OUTPUT)
    _, summary = score(
        app.path(_PREDICTIONS),
        app.path(_REFERENCES),
        output,
        images=app.path(_IMAGES) if _IMAGES.value else None,
        spacing_known=_SPACING_KNOWN.value,
    )
    print(plain_text(mean_table(summary)))
    print(f"\n{output / PAGE}")


def run() -> None:
    """The command, as the console script and `experiments.score` call it."""
    app.run(main, _OWN, __doc__ or "")
