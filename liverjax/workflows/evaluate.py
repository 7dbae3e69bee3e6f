"""What `evaluate` does: the cascade on patients that neither network has seen."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from tqdm import tqdm

from liverjax.choices import Stage
from liverjax.datasets.collection import Collection
from liverjax.datasets.splits import check_disjoint
from liverjax.errors import SplitError
from liverjax.evaluation.score import score_case
from liverjax.inference.cascade import compose, fit_to_liver
from liverjax.inference.load import LoadedNetwork
from liverjax.volume import Segmentation, Volume
from liverjax.workflows.leaks import check_same_dataset, find_seen, same_files
from liverjax.workflows.report import Evaluation
from liverjax.workflows.sources import describe_source


class Case(NamedTuple):
    """A patient as evaluated, and whether a network has seen it; all three lie on one grid."""

    patient: str
    volume: Volume
    prediction: Segmentation
    reference: Segmentation
    seen: bool


def evaluate(
    networks: Mapping[Stage, LoadedNetwork],
    collection: Collection,
    patients: Sequence[str] = (),
    *,
    allow_seen: bool = False,
    on_case: Callable[[Case], None] | None = None,
) -> Evaluation:
    """Scores the cascade, end to end: the tumour network works in the predicted liver.

    Args:
        networks: both, by stage.
        collection: whom to score.
        patients: their names; by default those that both networks hold back for testing, or
            everybody in a dataset that neither was trained on. Where they hold nobody back, it may
            be one's own of the same name.
        allow_seen: whether patients that a network has seen are scored too, and named.
        on_case: called with each patient once scored. Volumes are not kept, so what needs them,
            such as a picture, is to be made here.

    Raises:
        SplitError: a patient was used to train or to select one of the networks, by name or by
            what its slices show, or none is left.
        InputError: nobody was named, and a network was trained on a dataset of the same name with
            other files, where those held back may be somebody else.
    """
    chosen = tuple(patients) or _held_back(networks, collection)
    check_disjoint({"evaluation": chosen})
    reasons = find_seen(chosen, [networks[stage] for stage in Stage], collection)
    if reasons and not allow_seen:
        listed = "; ".join(f"{name}: {reason}" for name, reason in sorted(reasons.items()))
        raise SplitError(f"not held out, so nothing can be judged on it: {listed}")
    liver = networks[Stage.LIVER]
    judged = {Stage.LIVER: liver, Stage.TUMOR: fit_to_liver(networks[Stage.TUMOR], liver)}
    cascade = compose(liver, judged[Stage.TUMOR])
    scores = []
    for name in tqdm(chosen, desc="evaluate", unit="patient", disable=None):
        volume, reference = collection.read(name)
        prediction = cascade(volume)
        known = collection.summaries[name].tumors_known
        scores.append(score_case(name, prediction, reference, tumors_known=known))
        if on_case is not None:
            on_case(Case(name, volume, prediction, reference, name in reasons))
    return Evaluation(
        scores,
        tuple(name for name in chosen if name in reasons),
        (describe_source(chosen, judged, collection),),
    )


def _held_back(networks: Mapping[Stage, LoadedNetwork], collection: Collection) -> tuple[str, ...]:
    """Whom to score where nobody is named."""
    sides = [networks[stage].config.dataset for stage in Stage]
    named = [network for network in networks.values() if _is_named(network, collection)]
    for_use = not any(side.test for side in sides)
    if not named or (for_use and not any(same_files(each, collection) for each in named)):
        return tuple(collection.summaries)
    check_same_dataset(named, collection)
    chosen = tuple(name for name in sides[0].test if name in sides[1].test)
    if not chosen or sides[0].name != sides[1].name:
        held = " and ".join(
            f"the {stage.value} network {', '.join(side.test) or 'nobody'} of {side.name}"
            for stage, side in zip(Stage, sides, strict=True)
        )
        raise SplitError(
            f"no patient to evaluate: expected one that both hold back, found {held}; name some"
        )
    return chosen


def _is_named(network: LoadedNetwork, collection: Collection) -> bool:
    """Whether a network was divided on a dataset of this name."""
    return network.config.dataset.name == collection.name
