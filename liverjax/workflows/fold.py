"""One fold of a cross-validation: both networks trained, and judged on whom neither has seen."""

from pathlib import Path

from liverjax.datasets.collection import Collection
from liverjax.datasets.folds import Fold
from liverjax.inference.load import load_networks
from liverjax.io.atomic import make_folder
from liverjax.io.lock import only_user
from liverjax.protocol import CrossValidationConfig
from liverjax.workflows.calibrate import calibrate
from liverjax.workflows.figures import evaluate_and_draw
from liverjax.workflows.report import EVALUATION
from liverjax.workflows.train_cascade import train_stages


def run_fold(
    config: CrossValidationConfig, collection: Collection, fold: Fold, folder: Path
) -> None:
    """Trains both stages of a fold and evaluates the cascade on its test patients.

    A fold that was cut off goes on where it ended, and one that is done is left alone.

    Args:
        config: of the cross-validation.
        collection: the dataset.
        fold: its patients.
        folder: of this fold, for the evaluation and what `train_stages` writes.

    Raises:
        LiverjaxError: what training, calibration and evaluation raise; another process is working
            in `folder`.
    """
    with only_user(make_folder(folder)):
        if (folder / EVALUATION).is_file():
            return
        runs = train_stages(config, collection, fold, folder)
        networks = load_networks(runs, calibrated=False)
        if config.calibrate:
            networks = calibrate(networks, collection)
        evaluate_and_draw(networks, collection, folder, fold.test)
