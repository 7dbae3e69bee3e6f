"""Everything once on synthetic patients, in minutes on a laptop.

python -m experiments.quickstart [--workdir=DIR] [--manual_dir=DIR]
"""

from absl import flags

from configs import quickstart_liver, quickstart_tumor
from liverjax.commands import app
from liverjax.workflows import quickstart

_WORKDIR = flags.DEFINE_string("workdir", "runs/quickstart", "Folder for everything written.")
_MANUAL_DIR = flags.DEFINE_string(
    "manual_dir", None, "Folder with real 3D-IRCADb-01 patients, used in place of phantoms."
)


def main() -> None:
    result = quickstart.quickstart(
        app.path(_WORKDIR),
        quickstart_liver.get_config(),
        quickstart_tumor.get_config(),
        None if _MANUAL_DIR.value is None else app.path(_MANUAL_DIR),
    )
    print(quickstart.format_result(result))


if __name__ == "__main__":
    app.run(main)
