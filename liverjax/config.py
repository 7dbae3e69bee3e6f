"""Typed configuration of one experiment."""

import dataclasses

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
        relative_quantile: counted from the HU that this share of the tissue lies below: 0.75 stays
            with the parenchyma where half of a slice's liver is darker tumour. 0 takes the mean.
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
class AugmentConfig:
    """Random transforms of the training slices: how strong, and with which probability.

    Strengths are ranges around "unchanged" that each slice's own strength is drawn from,
    uniformly where nothing else is said. A transform of strength 0, or of probability 0, is left
    out of the program. The neighbours of a slice are transformed as it is.

    nnU-Net's recipe in two dimensions (Isensee et al., Nature Methods 18, 2021) is nearly:
    rotation 180 and zoom 0.3 at probability 0.2 each, noise at 0.1, blur 1 at 0.2, brightness
    and contrast (0.25) at 0.15, low_resolution 0.5 at 0.25, gamma 0.5 at 0.37 of which
    gamma_inverted 0.27, both flips, and neither shear, shift nor elastic.

    Attributes:
        rotation: degrees about the centre.
        zoom: relative change of size.
        shear: degrees by which rows and columns slant, drawn for each of the two.
        shift: fraction of the image side, drawn for rows and for columns.
        elastic: largest displacement of a smooth random field, as a fraction of the image side;
            each slice's own largest one is drawn from 0 to this.
        elastic_cell: distance of that field's control points, as a fraction of the image side.
        flip: whether slices are mirrored left-right.
        flip_vertical: whether slices are mirrored front-back.
        blur: standard deviation of a Gaussian in pixels, drawn from 0 to this.
        low_resolution: fraction of the pixels along each side that is lost, drawn from 0 to this.
        gamma: powers from 1 / (1 + gamma) to 1 + gamma of the HU of soft tissue, taken as 0..1;
            their logarithm is uniform.
        gamma_inverted: share of these in which bright and dark change places for it.
        brightness: HU added.
        contrast: relative change of HU around soft tissue.
        noise: standard deviation in HU, drawn from 0 to this.
        phase: how much a random increasing curve of HU stretches or narrows the differences
            between soft tissues, as contrast phases do; the logarithm of its slopes is drawn from
            -phase to phase, then scaled so that all beyond -150 and 300 HU stays.
        slice_thickness: slices from 1 / (1 + slice_thickness / 2) to 1 + slice_thickness times
            as thick and as far apart, the logarithm uniform: 2 gives half to three times. What
            `preprocess.neighbors` do not reach is the outermost of them. The mask stays that of
            the middle.
        field_of_view: part of the image side beyond which air or another constant stands instead
            of the image, drawn from 0 to this for each of the sides and for a circle. Nothing is
            sought there. It is meant for the liver stage; at the tumour stage it cuts the crop of
            the liver, which a scan seldom does.
        lesions: at most how many synthetic tumours are painted into the liver, beside those that
            it has; see `training.augment.lesions`. The tumour stage seeks them, too.
        parenchyma: HU by which the whole liver is brighter or darker, somewhat unevenly, and
            nothing else is, as fat, iron and contrast phases make it.
        *_probability: share of the slices that a transform acts on, each one drawn by itself.
        copies: whether every slice with tumour is also seen mirrored and turned by 10, 20, ...
            350 degrees in every epoch: 36 fixed copies, made before anything else. This is what
            the thesis did offline; what a turn brings in from outside has 0 HU, as there.
    """

    rotation: float = 10.0
    rotation_probability: float = 1.0
    zoom: float = 0.1
    zoom_probability: float = 1.0
    shear: float = 0.0
    shear_probability: float = 1.0
    shift: float = 0.05
    shift_probability: float = 1.0
    elastic: float = 0.0
    elastic_cell: float = 0.125
    elastic_probability: float = 1.0
    flip: bool = False
    flip_probability: float = 0.5
    flip_vertical: bool = False
    flip_vertical_probability: float = 0.5
    blur: float = 0.0
    blur_probability: float = 1.0
    low_resolution: float = 0.0
    low_resolution_probability: float = 1.0
    gamma: float = 0.0
    gamma_inverted: float = 0.0
    gamma_probability: float = 1.0
    brightness: float = 15.0
    brightness_probability: float = 1.0
    contrast: float = 0.1
    contrast_probability: float = 1.0
    noise: float = 10.0
    noise_probability: float = 1.0
    phase: float = 0.0
    phase_probability: float = 1.0
    slice_thickness: float = 0.0
    slice_thickness_probability: float = 1.0
    field_of_view: float = 0.0
    field_of_view_probability: float = 1.0
    lesions: int = 0
    lesions_probability: float = 0.5
    parenchyma: float = 0.0
    parenchyma_probability: float = 1.0
    copies: bool = False


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
