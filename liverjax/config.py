"""Typed configuration of one experiment."""

import dataclasses

from liverjax.augment_config import AugmentConfig
from liverjax.choices import (
    Feed,
    Loss,
    Network,
    Precision,
    Recipe,
    ResizeFilter,
    Schedule,
    Stage,
)


@dataclasses.dataclass
class DatasetConfig:
    """What is read: a prepared dataset, and its patients on each side, e.g. "patient04".

    Where the dataset lies is no part of an experiment: it may move between two runs.

    Attributes:
        name: of the dataset.
        train, validation, test: patients of each side.
        also_tested_on: other datasets that the network will be judged on. Patients that are known
            to lie in them are refused on the other sides.
    """

    name: str = "ircadb"
    train: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    also_tested_on: tuple[str, ...] = ()


@dataclasses.dataclass
class PreprocessConfig:
    """From HU slices to network input.

    Fields from `pixel_mm` on, the window and `relative` belong to Recipe.WINDOW, whose resizing
    is linear; `resize_filter` belongs to Recipe.THESIS.

    Attributes:
        recipe: what is done.
        resize_filter: how whole slices shrink.
        size: side in pixels of the square network input.
        window_low, window_high: HU that become 0 and 1.
        relative: whether these HU are counted from the soft tissue of the slice's region. The
            contrast phase moves the whole liver by tens of HU; a tumour shows by its difference
            to it.
        relative_quantile: with `relative`: counted from the HU that this share of the tissue
            lies below. 0.75 stays with the parenchyma where half of a slice's liver is darker
            tumour; 0 takes the mean.
        channels: how often the grey slices are stacked.
        neighbors: slices on each side that the network sees besides the one it segments; at
            the ends of a volume the last slice stands in for those that are missing.
        pixel_mm: side of a network pixel in mm; the input then shows a square of size * pixel_mm
            around the middle of the slice or, at the tumour stage, of the liver. What lies outside
            of it is never seen and counts as background: choose it to hold the body. 0 fits the
            whole slice (or the whole region of interest) into the input instead; so do slices
            whose spacing is unknown.
        roi_margin: tumour stage: border around the liver's box, as a fraction of its side. With
            pixel_mm it counts only where box and border are larger than the square: that slice
            is then shown with larger pixels, so that nothing of the liver is cut off.
        roi_min_side: tumour stage: smallest side of the crop, as a fraction of the slice's; not
            used with pixel_mm.
        roi_dilation: tumour stage: network pixels by which the liver mask is widened before
            everything outside it is blanked, for livers that were segmented too tightly.
    """

    recipe: Recipe = Recipe.WINDOW
    resize_filter: ResizeFilter = ResizeFilter.BICUBIC
    size: int = 256
    window_low: float = -100.0
    window_high: float = 400.0
    channels: int = 1
    neighbors: int = 0
    pixel_mm: float = 0.0
    relative: bool = False
    relative_quantile: float = 0.0
    roi_margin: float = 0.1
    roi_min_side: float = 0.25
    roi_dilation: int = 2

    @property
    def input_channels(self) -> int:
        """Channels of the network's input."""
        return self.channels * (2 * self.neighbors + 1)


@dataclasses.dataclass
class ModelConfig:
    """Network and its size.

    Attributes:
        network: the architecture.
        features: width per level, from the finest; their number is the number of levels.
        momentum: of batch norm's running statistics, where the network has them. Short runs
            want less than the default, or the statistics lag behind the weights.
        precision: of the computation.
        deep_supervision: coarser levels of the decoder that are trained towards the target too.
    """

    network: Network = Network.RESUNET
    features: tuple[int, ...] = (16, 32, 64, 128, 256)
    momentum: float = 0.99
    precision: Precision = Precision.FLOAT32
    deep_supervision: int = 0


@dataclasses.dataclass
class OptimizerConfig:
    """AdamW under a linear warm-up and a schedule.

    Attributes:
        learning_rate: at the end of the warm-up.
        schedule: what follows the warm-up.
        warmup_fraction: of all updates.
        epsilon: what keeps a step of Adam finite where the gradients are tiny.
        weight_decay: of kernels, relative to the learning rate.
        clip_norm: longest gradient, as a norm over all parameters; 0 leaves gradients alone.
        accumulate: parts in which a batch goes through the network, one after the other, to
            save memory; batch norm then sees one part at a time.
        ema_decay: of the moving average of the weights, which is evaluated and kept as the
            model; 0 keeps the weights themselves.
    """

    learning_rate: float = 1e-3
    schedule: Schedule = Schedule.COSINE
    warmup_fraction: float = 0.05
    epsilon: float = 1e-8
    weight_decay: float = 1e-4
    clip_norm: float = 0.0
    accumulate: int = 1
    ema_decay: float = 0.0


@dataclasses.dataclass
class PretrainConfig:
    """Epochs on a smaller input, from whose weights the run itself then starts.

    They cost a fraction of those at full size, so most of what there is to learn is learnt there
    (progressive resizing). Nothing is selected in them.

    Attributes:
        epochs: 0 leaves them out.
        size: stands for `preprocess.size`.
        learning_rate: stands for `optimizer.learning_rate`.
    """

    epochs: int = 0
    size: int = 128
    learning_rate: float = 1e-3


@dataclasses.dataclass
class ExperimentConfig:
    """One training run: everything that decides its result.

    Attributes:
        stage: which network.
        seed: of initial weights, order of the slices and augmentation.
        epochs: passes over the training slices, at most.
        batch_size: slices per update, over all devices together.
        tumor_share: share of every batch that shows tumour, while the rest shows none; 0 takes
            the slices as they come.
        liver_share: at the liver stage, share of every batch that shows liver, while the rest
            shows none, as chest and pelvis; 0 takes the slices as they come.
        patient_balance: 0 sees all slices equally often, 1 all patients, however many slices
            they have; between, a patient in proportion to the number of its slices to the power
            of 1 - `patient_balance`. With a share, each kind of slices on its own.
        all_slices: at the tumour stage, whether slices without liver are trained and judged on
            too. In the cascade this stage never meets one.
        evaluate_every: epochs from one evaluation and checkpoint to the next.
        patience: evaluations without a better validation score after which the run ends; 0
            never ends it early.
        feed: where the slices come from.
        init_from: workdir of a run whose best weights are the initial ones; empty for none.
        loss: what is minimised.
        pretrain: epochs on a smaller input before all others.
    """

    stage: Stage = Stage.LIVER
    seed: int = 0
    epochs: int = 20
    batch_size: int = 8
    tumor_share: float = 0.0
    liver_share: float = 0.0
    patient_balance: float = 0.0
    all_slices: bool = False
    evaluate_every: int = 1
    patience: int = 0
    feed: Feed = Feed.AUTO
    init_from: str = ""
    loss: Loss = Loss.DICE_CROSS_ENTROPY
    dataset: DatasetConfig = dataclasses.field(default_factory=DatasetConfig)
    preprocess: PreprocessConfig = dataclasses.field(default_factory=PreprocessConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    augment: AugmentConfig = dataclasses.field(default_factory=AugmentConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    pretrain: PretrainConfig = dataclasses.field(default_factory=PretrainConfig)
