"""Patients that are known to be in several public data sets under different names.

3D-IRCADb-01 is part of the training data of LiTS (Bilic et al., The Liver Tumor Segmentation
Benchmark, Medical Image Analysis 84, 2023), which the Medical Segmentation Decathlon hands out
again as Task03 with the same numbers. Most lists give volumes 28 to 47 for its 20 patients, one 28
to 44 and 46 to 48. Here it is 27 to 48, so that none is missed.
"""

import re
from collections.abc import Sequence

from liverjax.errors import SplitError

IRCADB_IN_LITS = range(27, 49)
"""Numbers of the volumes of LiTS that are, or may be, patients of 3D-IRCADb-01."""

OWN = "own-"
"""What the names of one's own patients begin with in a dataset that is named after LiTS."""

_NUMBERED = {"lits": "LiTS", "msd": "MSD Task03", "msd_liver": "MSD Task03"}
# Others who may be in the dataset `lits`: BTCV, and one's own; what they show is compared anyway.
_OF_OTHERS = re.compile(rf"img\d{{4}}|{OWN}.+")
# LiTS numbers its hidden test anew; no list has a patient of 3D-IRCADb-01 there.
_NAME = re.compile(r"(?P<hidden>test-)?(?:(?:volume|segmentation)-|liver_|patient)?(?P<number>\d+)")


def check_known_overlap(
    trained: str,
    trained_patients: Sequence[str],
    tested: str,
    tested_patients: Sequence[str] | None = None,
) -> None:
    """Refuses to train on patients of one data set who are in another that is tested on.

    Args:
        trained: name of the dataset that is trained and selected on. Known are "ircadb", "lits",
            and "msd" or "msd_liver" (Task03); nothing is known of others.
        trained_patients: of it; those of LiTS by number, e.g. "volume-27", "liver_27", "patient27"
            or "27". In "lits", BTCV's `img0027` and one's own `own-...` are passed over.
        tested: name of the dataset that is tested on.
        tested_patients: of it, likewise; all of it by default.

    Raises:
        SplitError: lists the patients and says why, or a name tells no number.
    """
    trained, tested = (_known_name(name) for name in (trained, tested))
    if trained == tested or not trained_patients:
        return
    if tested == "ircadb" and trained in _NUMBERED:
        shared = _of_ircadb(trained, trained_patients)
        _refuse(trained, shared, f"are, or may be, patients of the test set {tested}")
    elif trained == "ircadb" and tested in _NUMBERED:
        everything = [f"volume-{number}" for number in IRCADB_IN_LITS]
        shared = everything if tested_patients is None else _of_ircadb(tested, tested_patients)
        _refuse(tested, shared, f"are, or may be, patients of the training set {trained}")
    elif trained in _NUMBERED and tested in _NUMBERED:
        others = None if tested_patients is None else _numbers(tested, tested_patients).values()
        numbers = _numbers(trained, trained_patients)
        shared = [name for name, each in numbers.items() if others is None or each in others]
        _refuse(trained, shared, f"are in the test set {tested} under the same numbers")


def check_dataset_name(name: str) -> None:
    """Refuses the name of a dataset that nothing is known of, and that a guard would pass over.

    Raises:
        SplitError: lists the names that there are.
    """
    if _known_name(name) not in ("ircadb", *_NUMBERED):
        raise SplitError(
            f"{name}: expected the name of a dataset with known overlap, "
            f"{', '.join(('ircadb', *_NUMBERED))}; nothing can be checked for others"
        )


def _known_name(name: str) -> str:
    """The name that a dataset goes by here, however it is spelt."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    if "ircad" in plain:
        return "ircadb"
    return {"msdtask03": "msd", "task03": "msd", "msdliver": "msd_liver"}.get(plain, plain)


def _refuse(dataset: str, shared: Sequence[str], why: str) -> None:
    """Raises SplitError where `shared`, patients of `dataset`, is not empty."""
    if shared:
        raise SplitError(
            f"{', '.join(shared)} of {dataset}: {why}; 3D-IRCADb-01 is inside LiTS and MSD Task03, "
            f"among volumes {IRCADB_IN_LITS[0]} to {IRCADB_IN_LITS[-1]}, and these two share "
            "their volumes. Leave the patients listed out, where they come by --data with "
            "--exclude=volume-2[7-9],volume-3?,volume-4[0-8]"
        )


def _of_ircadb(dataset: str, patients: Sequence[str]) -> list[str]:
    """Those of LiTS' patients that are, or may be, of 3D-IRCADb-01."""
    numbers = _numbers(dataset, patients)
    return [patient for patient, number in numbers.items() if number in IRCADB_IN_LITS]


def _numbers(dataset: str, patients: Sequence[str]) -> dict[str, int]:
    """The numbers of LiTS' training volumes.

    Those of its hidden test are left out, and who is in the dataset `lits` from elsewhere.
    """
    found = {}
    for patient in patients:
        if dataset == "lits" and _OF_OTHERS.fullmatch(patient):
            continue
        match = _NAME.fullmatch(patient)
        if match is None:
            raise SplitError(
                f"{patient} of {dataset}: expected a name with the number of a volume of "
                f"{_NUMBERED[dataset]}, such as volume-27, liver_27 or patient27, to tell whether "
                "the patient is also in another data set; rename it"
            )
        if not match["hidden"]:
            found[patient] = int(match["number"])
    return found
