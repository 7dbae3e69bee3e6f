"""Writes two trained networks as the weights that come with the package.

python -m experiments.ship --liver=DIR --tumor=DIR --weights_version=1

They replace those in liverjax/weights, or go to --output. `liverjax-predict --weights=DIR` and
`experiments.evaluate --weights=DIR` use those of another folder.
"""

from absl import flags

from liverjax.choices import Stage
from liverjax.commands import app
from liverjax.inference.bundle import SHIPPED, read_bundle
from liverjax.io.ct import read_scan
from liverjax.workflows.ship import agreement, gflop_per_slice, ship

_LIVER = flags.DEFINE_string("liver", None, "Workdir of the liver network.", required=True)
_TUMOR = flags.DEFINE_string("tumor", None, "Workdir of the tumour network.", required=True)
_VERSION = flags.DEFINE_string(
    "weights_version", None, "What users are to call these weights, such as 1.", required=True
)
_OUTPUT = flags.DEFINE_string("output", None, "Folder; by default that of the package.")
_CHECK = flags.DEFINE_string("check", None, "A CT, to measure on it what rounding costs.")


def main() -> None:
    runs = {Stage.LIVER: app.path(_LIVER), Stage.TUMOR: app.path(_TUMOR)}
    folder = app.optional_path(_OUTPUT) or SHIPPED
    sizes = ship(runs, folder, _VERSION.value)
    for name, size in sizes.items():
        print(f"{folder / name}: {size / 1e6:.2f} MB")
    print(f"in all {sum(sizes.values()) / 1e6:.2f} MB")
    for stage, network in read_bundle(folder).items():
        cost = gflop_per_slice(network.config) * (1 + network.postprocess.flips)
        print(f"{stage.value} network: {cost:.2f} GFLOP per slice")
    check = app.optional_path(_CHECK)
    if check is not None:
        found = agreement(runs, folder, read_scan(check).volume)
        print(
            f"rounding changes probabilities by at most {found.liver:.2g} (liver) and "
            f"{found.tumor:.2g} (tumour); Dice with the runs {found.liver_dice:.6f} and "
            f"{found.tumor_dice:.6f}"
        )


if __name__ == "__main__":
    app.run(main)
