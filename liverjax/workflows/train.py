"""What `train` does: one stage, from a prepared dataset to checkpoints."""

from functools import partial
from pathlib import Path

from liverjax.choices import Stage
from liverjax.config import ExperimentConfig
from liverjax.datasets.splits import check_disjoint
from liverjax.errors import SplitError
from liverjax.training.devices import check_same_everywhere, share_of_batches
from liverjax.training.loop import fit
from liverjax.validation import validate
from liverjax.workflows.manifest import begin_run


def train(config: ExperimentConfig, data_dir: Path, run: Path) -> None:
    """Trains one network, or goes on where an earlier call with the same `run` ended.

    Args:
        config: the experiment.
        data_dir: where the prepared dataset lies.
        run: workdir of this network.

    Raises:
        ConfigError: an impossible value, or `run` belongs to another configuration.
        SplitError: a patient on two sides, or one that the dataset does not hold.
        InputError: the dataset is not prepared, or is another one than `run` was begun with; or
            another process is training in `run`.
        TrainingError: the loss is not finite.
        CheckpointError: one cannot be written, or initial weights do not fit.
        StoppedError: the process was asked to stop; what was done is saved.
    """
    from liverjax import input_pipeline  # here, so that importing workflows needs no TensorFlow

    validate(config)
    dataset = config.dataset
    check_disjoint({"train": dataset.train, "validation": dataset.validation, "test": dataset.test})
    if not dataset.train:
        raise SplitError("config.dataset.train: names no patient; expected e.g. ('patient01',)")
    builder = input_pipeline.open_dataset(dataset.name, data_dir)
    fingerprint = input_pipeline.dataset_fingerprint(builder)
    check_same_everywhere({"dataset": fingerprint})

    def source(
        patients: tuple[str, ...], tumor_share: float = 0.0, copies: bool = False
    ) -> input_pipeline.SliceSource:
        """Their slices; the second stage has as a rule no use for those without liver."""
        return input_pipeline.SliceSource(
            builder,
            patients,
            batch_size=config.batch_size,
            seed=config.seed,
            liver_only=config.stage is Stage.TUMOR and not config.all_slices,
            neighbors=config.preprocess.neighbors,
            tumor_share=tumor_share,
            copies=copies,
            share=share_of_batches(),
        )

    sides = (
        source(dataset.train, config.tumor_share, config.augment.copies),
        source(dataset.validation) if dataset.validation else None,
    )
    fit(config, *sides, run, partial(begin_run, run, config, fingerprint))
