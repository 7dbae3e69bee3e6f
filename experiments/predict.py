"""Segments one CT: a DICOM folder, a zip archive or a NIfTI file.

python -m experiments.predict --input=PATH --liver=DIR --tumor=DIR --output=DIR
"""

from absl import flags

from experiments import app
from liverjax.inference.cascade import load_cascade
from liverjax.io.atomic import make_folder
from liverjax.io.ct import read_ct
from liverjax.workflows import predict

_INPUT = flags.DEFINE_string("input", None, "DICOM folder, zip or NIfTI file.", required=True)
_LIVER = flags.DEFINE_string("liver", None, "Workdir of the liver network.", required=True)
_TUMOR = flags.DEFINE_string("tumor", None, "Workdir of the tumour network.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "Folder for the results.", required=True)
_SPACING_KNOWN = flags.DEFINE_bool(
    "spacing_known", None, "For NIfTI: whether its voxel size is real; by default, see README."
)


def main() -> None:
    # The CT first: what is wrong with it shows before anything is compiled.
    volume = read_ct(app.path(_INPUT), spacing_known=_SPACING_KNOWN.value)
    cascade = load_cascade(app.path(_LIVER), app.path(_TUMOR))
    output = make_folder(app.path(_OUTPUT))
    predict.predict(volume, cascade, output)
    print(f"{output / predict.SEGMENTATION}\n{output / predict.PREVIEW}\n{output / predict.REPORT}")


if __name__ == "__main__":
    app.run(main)
