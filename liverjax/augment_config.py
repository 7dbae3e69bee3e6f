"""Typed configuration of the random transforms that training slices go through."""

import dataclasses


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


# Transforms that have a probability of their own, `<name>_probability`.
TRANSFORMS = tuple(
    field.name.removesuffix("_probability")
    for field in dataclasses.fields(AugmentConfig)
    if field.name.endswith("_probability")
)
