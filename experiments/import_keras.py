"""Reads weights that the thesis trained with Keras into a checkpoint.

python -m experiments.import_keras --h5=liver_model_final_resunet.h5 --output=runs/thesis_liver

On which patients they were trained is for the user to say: `evaluate` scores those held out
alone, and nobody is by default.
"""

from absl import flags

from configs import thesis_liver, thesis_tumor
from liverjax.choices import ResizeFilter, Stage
from liverjax.commands import app
from liverjax.workflows import import_keras

_H5 = flags.DEFINE_string("h5", None, "File that Keras wrote.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "Workdir to be made.", required=True)
_STAGE = flags.DEFINE_enum(
    "stage",
    None,
    [stage.value for stage in Stage],
    "Which network it is; by default what the file's name tells.",
)
_HELD_OUT = flags.DEFINE_list(
    "held_out", [], "Patients that it was not trained on, such as patient12."
)
_RESIZE_FILTER = flags.DEFINE_enum(
    "resize_filter",
    ResizeFilter.NEAREST.value,
    [choice.value for choice in ResizeFilter],
    "How its slices were resized; PIL's default was nearest before Pillow 7, bicubic since.",
)

_CONFIGS = {Stage.LIVER: thesis_liver, Stage.TUMOR: thesis_tumor}


def main() -> None:
    h5 = app.path(_H5)
    stage = Stage(_STAGE.value) if _STAGE.value else import_keras.stage_of(h5)
    config = import_keras.with_patients(_CONFIGS[stage].get_config(), _HELD_OUT.value)
    config.preprocess.resize_filter = ResizeFilter(_RESIZE_FILTER.value)
    imported = import_keras.import_keras(h5, app.path(_OUTPUT), config)
    print(
        f"{imported.checkpoint}\n{stage.value} network: {imported.layers} layers, "
        f"{imported.parameters:,} parameters\n"
        f"trained on {len(config.dataset.train)} patients; held out: "
        f"{', '.join(config.dataset.test) or 'nobody, so evaluate has nobody to score'}"
    )


if __name__ == "__main__":
    app.run(main)
