"""Choices that a configuration names; a file or a flag holds their values."""

import enum


class Stage(enum.Enum):
    """Which of the two networks an experiment trains."""

    LIVER = "liver"
    TUMOR = "tumor"


class Network(enum.Enum):
    """Architectures in `liverjax.models`."""

    RESUNET = "resunet"
    UNET = "unet"


class Loss(enum.Enum):
    """Losses in `liverjax.training.losses`."""

    DICE = "dice"
    CROSS_ENTROPY = "cross_entropy"
    DICE_CROSS_ENTROPY = "dice_cross_entropy"


class Precision(enum.Enum):
    """What a network computes in; parameters, statistics, logits and losses are float32 always."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Recipe(enum.Enum):
    """How HU become network input, see `liverjax.preprocess`.

    WINDOW: a window of HU; the tumour stage sees a crop of the liver. THESIS: every slice whole,
    its histogram equalised; the tumour stage sees it with all but the liver blanked.
    """

    WINDOW = "window"
    THESIS = "thesis"


class ResizeFilter(enum.Enum):
    """Filters of PIL, equal to it: its default was NEAREST before Pillow 7, BICUBIC since."""

    NEAREST = "nearest"
    BICUBIC = "bicubic"


class Schedule(enum.Enum):
    """Course of the learning rate after the warm-up: down to zero as a cosine, or constant."""

    COSINE = "cosine"
    CONSTANT = "constant"


class Feed(enum.Enum):
    """Where the slices of an epoch come from.

    RESIDENT: all of them are on the device; STREAM: read as the steps go; AUTO: resident where
    they fit.
    """

    AUTO = "auto"
    RESIDENT = "resident"
    STREAM = "stream"


class Protocol(enum.Enum):
    """How the patients of a cross-validation are divided.

    KFOLD: folds alike in size and tumour burden; LEAVE_ONE_OUT: a fold for every patient; FILE:
    as a file says.
    """

    KFOLD = "kfold"
    LEAVE_ONE_OUT = "leave_one_out"
    FILE = "file"
