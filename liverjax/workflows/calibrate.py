"""What `calibrate` does: chooses thresholds and post-processing on validation patients alone."""

import dataclasses
import itertools
import logging
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from tqdm import tqdm

from liverjax.choices import Recipe, Stage
from liverjax.datasets.collection import Collection
from liverjax.datasets.slices import annotated
from liverjax.errors import ConfigError, SplitError
from liverjax.evaluation.aggregate import challenge_dice
from liverjax.evaluation.confusion import count
from liverjax.inference.calibration import Calibration, write_calibration
from liverjax.inference.load import LoadedNetwork
from liverjax.inference.postprocess import Postprocess, find_liver, find_tumor
from liverjax.inference.predict import predict_volume
from liverjax.workflows.leaks import check_same_dataset, seen_in_training, warn_of_import

_LOGGER = logging.getLogger(__name__)

THRESHOLDS = tuple(round(0.1 + 0.05 * step, 2) for step in range(17))
"""Probabilities that are tried."""
MIN_ML = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Volumes of the smallest tumour that are tried, where the voxel size is known."""
MIN_VOXELS = (10, 20, 50, 100, 200)
"""And sizes where it is not."""
# Less than this is noise among a handful of patients, and not worth leaving the defaults for.
_GAIN = 0.001


def calibrate(
    networks: Mapping[Stage, LoadedNetwork], collection: Collection
) -> dict[Stage, LoadedNetwork]:
    """Chooses for both networks, and stores it beside their checkpoints.

    On the patients that both were selected on; for the liver network, those whose tumours were not
    annotated are among them, as the tumour network cannot be selected on these. First the liver's
    threshold and whether mirrored slices are seen too, by mean Dice; then, within the livers so
    found, the same and the smallest tumour for the tumour network. There a patient without tumour
    counts 1 where none is found and 0 where one is, so that false tumours cost something. The
    defaults stay unless something is better by more than 0.001.

    Args:
        networks: both, loaded from workdirs.
        collection: the dataset that they were divided on.

    Returns:
        The networks with what was chosen for them.

    Raises:
        SplitError: no patient was used to select both, or one of them was trained or is tested on.
        ConfigError: the thesis' recipe, whose post-processing is fixed.
        InputError: `collection` is another dataset.
    """
    liver, tumor = (networks[stage] for stage in Stage)
    for network in (liver, tumor):
        if network.config.preprocess.recipe is Recipe.THESIS:
            raise ConfigError(
                "config.preprocess.recipe: expected window, found thesis, which has its threshold "
                "fixed at one half"
            )
        if network.run is None or network.shipped is not None:
            raise ConfigError("expected networks that were loaded from workdirs")
        warn_of_import(network)
    check_same_dataset((liver, tumor), collection)
    patients, with_tumors = _validation_patients(networks, collection)
    chosen_liver, with_size = _choose_liver(liver, collection, patients)
    liver = liver._replace(postprocess=chosen_liver.chosen, calibration=chosen_liver)
    sized = with_size.issuperset(with_tumors)
    chosen_tumor = _choose_tumor(liver, tumor, collection, with_tumors, sized=sized)
    tumor = tumor._replace(postprocess=chosen_tumor.chosen, calibration=chosen_tumor)
    for network, chosen in ((liver, chosen_liver), (tumor, chosen_tumor)):
        assert network.run is not None  # as was checked
        write_calibration(network.run, chosen)
        stage = network.config.stage.value
        _LOGGER.info("%s: %s", stage, describe_calibration(chosen))
    return {Stage.LIVER: liver, Stage.TUMOR: tumor}


def _validation_patients(
    networks: Mapping[Stage, LoadedNetwork], collection: Collection
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Whom the liver's figures are chosen on, and those of them that the tumours' are."""
    sides = [networks[stage].config.dataset for stage in Stage]
    held = collection.summaries
    known = annotated(held, [name for name in sides[0].validation if name in held])
    with_tumors = tuple(name for name in known if name in sides[1].validation)
    both = tuple(name for name in sides[0].validation if name in with_tumors or name not in known)
    if not with_tumors:
        told = " and ".join(", ".join(side.validation) or "nobody" for side in sides)
        raise SplitError(
            f"no patient that both networks were selected on: found {told}; train both with the "
            "same config.dataset.validation"
        )
    for side in sides:
        wrong = sorted({*both} & {*side.train, *side.test})
        if wrong:
            raise SplitError(f"{', '.join(wrong)}: on validation and on another side")
    trained = sorted(set(both) & seen_in_training(networks.values()))
    if trained:
        raise SplitError(
            f"{', '.join(trained)}: seen by the initial weights of a network, so nothing can be "
            "chosen on them"
        )
    return both, with_tumors


def _choose_liver(
    network: LoadedNetwork, collection: Collection, patients: Sequence[str]
) -> tuple[Calibration, set[str]]:
    """What is chosen, and the patients whose voxel size is known."""
    with_size = set()
    scores: dict[Postprocess, list[float]] = {}
    options = _options(Postprocess())
    for name in tqdm(patients, desc="calibrate liver", unit="patient", disable=None):
        volume, reference = collection.read(name)
        if volume.geometry.spacing_known:
            with_size.add(name)
        for flips in (False, True):
            probability = predict_volume(network, volume, flips=flips)
            for option in (o for o in options if o.flips is flips):
                found = find_liver(Recipe.WINDOW, probability, option, volume.geometry.voxel_ml)
                scores.setdefault(option, []).append(challenge_dice(count(found, reference.liver)))
    return _best(network, scores, tuple(patients)), with_size


def _choose_tumor(
    liver: LoadedNetwork,
    tumor: LoadedNetwork,
    collection: Collection,
    patients: Sequence[str],
    *,
    sized: bool,
) -> Calibration:
    """`sized` says whether the voxel size of all patients is known, see `_options`."""
    options = _options(Postprocess(), sized)
    scores: dict[Postprocess, list[float]] = {}
    for name in tqdm(patients, desc="calibrate tumour", unit="patient", disable=None):
        volume, reference = collection.read(name)
        voxel_ml = volume.geometry.voxel_ml
        probability = predict_volume(liver, volume)
        inside = find_liver(Recipe.WINDOW, probability, liver.postprocess, voxel_ml)
        for flips in (False, True):
            probability = predict_volume(tumor, volume, inside, flips=flips)
            for option in (o for o in options if o.flips is flips):
                found = find_tumor(Recipe.WINDOW, probability, inside, option, voxel_ml)
                scores.setdefault(option, []).append(challenge_dice(count(found, reference.tumor)))
    calibration = _best(tumor, scores, tuple(patients))
    return dataclasses.replace(calibration, liver_checkpoint=liver.fingerprint or "")


def _options(usual: Postprocess, sized: bool | None = None) -> list[Postprocess]:
    """What is tried: with `sized` the smallest tumour too, in mL (True) or in voxels (False)."""
    make: Callable[..., Postprocess] = dataclasses.replace
    sizes: list[dict[str, float]] = [{}]
    if sized is not None:
        sizes = (
            [{"min_ml": ml} for ml in MIN_ML]
            if sized
            else [{"min_voxels": voxels} for voxels in MIN_VOXELS]
        )
    return [
        make(usual, threshold=threshold, flips=flips, **size)
        for threshold, flips, size in itertools.product(THRESHOLDS, (False, True), sizes)
    ]


def _best(
    network: LoadedNetwork, scores: Mapping[Postprocess, Sequence[float]], patients: tuple[str, ...]
) -> Calibration:
    means = {option: float(np.mean(values)) for option, values in scores.items()}
    usual = Postprocess()

    def rank(option: Postprocess) -> tuple[float, float]:
        """By score; mirrored slices take twice the time, so they must be worth it."""
        return means[option] - _GAIN * option.flips, -abs(option.threshold - usual.threshold)

    best = max(means, key=rank)
    chosen = best if rank(best)[0] > means[usual] + _GAIN else usual
    assert network.fingerprint is not None  # its run was asked for
    return Calibration(network.fingerprint, chosen, patients, means[chosen], means[usual])


def describe_calibration(calibration: Calibration) -> str:
    """One line for a log."""
    chosen = calibration.chosen
    return (
        f"threshold {chosen.threshold:g}, smallest {chosen.min_voxels} voxels and "
        f"{chosen.min_ml:g} mL, {'with' if chosen.flips else 'without'} mirrored slices: mean Dice "
        f"{calibration.score:.4f} on {', '.join(calibration.patients)}, by default "
        f"{calibration.usual_score:.4f}"
    )
