"""The thesis' liver network as its notebook trained it: ResUNet, equalised slices, 36 copies.

What the notebook does otherwise, and why it is not repeated:

- Its validation slices are the first fifth of a folder's unsorted listing, copies included, so
  that turns of one slice lie on both sides. Here patients are held out.
- It assigns its seed (`random.seed = 2019`) instead of setting it. Here `seed` decides
  everything.
- Its batch size shrinks for good after the first batch that is not full. Here every batch is
  full, and an epoch leaves out the few slices that make up no batch.
- It turns masks with a cubic spline and keeps what that leaves (about a thousand stray pixels in
  each; of tumours what is above 100 of 255), and with BICUBIC it shrinks liver masks to fractions.
  Here masks are 1 where spline and filter give at least one half.
- A slice of one value divides by zero there. Here it is 0.
- Its tumour masks may reach beyond the liver mask. Here they are cut to it.
- It keeps the weights of the last epoch. Here the latest are kept as well, but those of the best
  validation Dice are what inference loads.
- Keras' Adam adds epsilon before v is corrected for its start at 0, Optax's after; its running
  variances are divided by n - 1, these by n.
"""

from configs.liver_resunet import patients
from liverjax.augment_config import AugmentConfig
from liverjax.choices import Loss, Network, Recipe, ResizeFilter, Schedule, Stage
from liverjax.config import ExperimentConfig, ModelConfig, OptimizerConfig, PreprocessConfig


def get_config() -> ExperimentConfig:
    return ExperimentConfig(
        stage=Stage.LIVER,
        seed=2019,
        epochs=20,
        batch_size=8,
        loss=Loss.DICE,
        dataset=patients(),
        preprocess=PreprocessConfig(
            recipe=Recipe.THESIS,
            resize_filter=ResizeFilter.NEAREST,  # the default of the Pillow of 2019
            size=256,
            channels=3,
        ),
        model=ModelConfig(Network.RESUNET, features=(16, 32, 64, 128, 256), momentum=0.99),
        augment=only_copies(),
        optimizer=OptimizerConfig(
            learning_rate=1e-3,
            schedule=Schedule.CONSTANT,
            warmup_fraction=0.0,
            weight_decay=0.0,
            epsilon=1e-7,
        ),
    )


def only_copies() -> AugmentConfig:
    """Nothing at random: every slice with tumour, mirrored, and turned in steps of 10 degrees."""
    return AugmentConfig(
        rotation=0.0, zoom=0.0, shift=0.0, brightness=0.0, contrast=0.0, noise=0.0, copies=True
    )
