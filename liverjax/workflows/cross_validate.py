"""What `cross_validate` does: every patient judged once, by networks that have not seen it."""

import dataclasses
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from liverjax.choices import Protocol
from liverjax.config_json import differences, from_dict, to_dict
from liverjax.datasets.collection import Collection
from liverjax.datasets.folds import Fold, check_folds, leave_one_out, read_folds, stratified_folds
from liverjax.datasets.slices import select_patients
from liverjax.errors import ConfigError, InputError, LiverjaxError, SplitError
from liverjax.evaluation.case import CaseScore
from liverjax.io.atomic import make_folder, write_json
from liverjax.io.lock import only_user
from liverjax.protocol import CrossValidationConfig
from liverjax.validation import validate_protocol
from liverjax.workflows.fold import run_fold
from liverjax.workflows.report import (
    EVALUATION,
    FIGURES,
    PANELS,
    Evaluation,
    read_evaluation,
    write_report,
)
from liverjax.workflows.train_cascade import check_fold, tumor_burden

_LOGGER = logging.getLogger(__name__)

PLAN = "plan.json"
_SIDES = ("train", "validation", "test")


def cross_validate(
    config: CrossValidationConfig,
    collection: Collection,
    workdir: Path,
    numbers: Sequence[int] = (),
) -> list[CaseScore] | None:
    """Runs the folds that are not done yet, and pools them once all are.

    Args:
        config: what is run.
        collection: the dataset.
        workdir: `plan.json` says who is on which side of each fold, `fold0/`, ... hold the folds
            (see `liverjax.workflows.fold`), and the report of all cases lies beside them.
        numbers: the folds to run, from 0; by default all. Others may run elsewhere, on the same
            configuration and dataset, see `merge`.

    Returns:
        The scores of all cases; None where a fold is still missing.

    Raises:
        ConfigError: an impossible value, no such fold, or `workdir` belongs to another
            configuration or dataset.
        SplitError: too few patients, or one that would be on two sides.
        LiverjaxError: whatever training and evaluation raise.
    """
    validate_protocol(config)
    named = config.liver.dataset.name
    if named != collection.name:
        raise ConfigError(f"config.liver.dataset.name: expected {collection.name}, found {named}")
    folds = make_folds(config, collection)
    unknown = sorted(set(numbers) - set(range(len(folds))))
    if unknown:
        raise ConfigError(f"folds: expected numbers from 0 to {len(folds) - 1}, found {unknown[0]}")
    _begin(config, collection, folds, workdir)
    for number in numbers or range(len(folds)):
        _LOGGER.info("Fold %d: tested on %s", number, ", ".join(folds[number].test))
        run_fold(config, collection, folds[number], _folder(workdir, number))
    missing = _undone([workdir], len(folds))
    if missing:
        _LOGGER.info("Still to be run: folds %s", ", ".join(map(str, missing)))
        return None
    return _pool([workdir], folds, workdir)


def merge(workdirs: Sequence[Path], output: Path) -> list[CaseScore]:
    """Pools the folds that were run in several workdirs, each of them once.

    Args:
        workdirs: of the same configuration and dataset; a fold may be done in several, to the
            same end.
        output: folder for the report.

    Returns:
        The scores of all cases.

    Raises:
        InputError: plans that differ or are damaged, or a fold that is done nowhere, or with
            different results.
    """
    plans = [_read_plan(workdir) for workdir in workdirs]
    if not plans:
        raise InputError("expected one workdir or more, found none")
    for workdir, plan in zip(workdirs, plans, strict=True):
        if plan != plans[0]:
            difference = differences(plans[0], plan, "")[0]
            raise InputError(f"{workdir / PLAN}: differs from {workdirs[0] / PLAN} in {difference}")
    folds = _folds_of(plans[0])
    missing = _undone(workdirs, len(folds))
    if missing:
        listed = ", ".join(map(str, workdirs))
        raise InputError(f"{listed}: expected every fold, found none of {missing}")
    return _pool(workdirs, folds, output)


def make_folds(config: CrossValidationConfig, collection: Collection) -> list[Fold]:
    """Who is on which side of each fold; see `liverjax.datasets.folds`.

    Raises:
        SplitError, InputError: patients or a file that no folds can be made of.
    """
    held = collection.summaries
    chosen = select_patients(collection.name, held, config.patients or tuple(held))
    burden = {name: tumor_burden(summary) for name, summary in chosen.items()}
    validation, seed = config.validation, config.seed
    if config.protocol is Protocol.KFOLD:
        folds = stratified_folds(burden, folds=config.folds, validation=validation, seed=seed)
    elif config.protocol is Protocol.LEAVE_ONE_OUT:
        folds = leave_one_out(burden, validation=validation, seed=seed)
    else:
        path = Path(config.splits).expanduser()
        folds = read_folds(path, burden, validation=validation, seed=seed)
    check_folds(folds)
    for number, fold in enumerate(folds):
        try:
            check_fold(config, fold, held)
        except SplitError as error:
            raise SplitError(f"fold {number}: {error}") from error
        if config.calibrate and not fold.validation:
            raise SplitError(f"fold {number}: expected a validation patient to calibrate on")
    return folds


def _folder(workdir: Path, number: int) -> Path:
    return workdir / f"fold{number}"


def _begin(
    config: CrossValidationConfig, collection: Collection, folds: Sequence[Fold], workdir: Path
) -> None:
    """Writes the plan, or refuses a workdir that was begun by another."""
    plan = {
        # Where a file of splits lies matters to nobody; what it says is in "folds".
        "config": to_dict(dataclasses.replace(config, splits="")),
        "dataset": {"name": collection.name, "fingerprint": collection.fingerprint},
        "folds": [{side: list(names) for side, names in f._asdict().items()} for f in folds],
    }
    with only_user(make_folder(workdir)):
        if not (workdir / PLAN).exists():
            write_json(workdir / PLAN, plan)
            return
        earlier = _read_plan(workdir)
    if earlier != plan:
        difference = differences(earlier, plan, "")[0]
        raise ConfigError(
            f"{workdir}: begun with another plan, which differs in "
            f"{difference}; give the same configuration and dataset, or "
            "another workdir"
        )


def _read_plan(workdir: Path) -> dict[str, Any]:
    path = workdir / PLAN
    try:
        plan = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(plan, dict) or set(plan) != {"config", "dataset", "folds"}:
            raise ValueError("expected the fields config, dataset and folds")
        check_folds(_folds_of(plan))
        # With the fields that have come since.
        plan["config"] = to_dict(from_dict(CrossValidationConfig, plan["config"]))
    except (OSError, ValueError, TypeError, KeyError, RecursionError, LiverjaxError) as error:
        raise InputError(f"{path}: no plan of a cross-validation ({error})") from error
    return plan


def _folds_of(plan: dict[str, Any]) -> list[Fold]:
    return [Fold(*(tuple(f[side]) for side in _SIDES)) for f in plan["folds"]]


def _undone(workdirs: Sequence[Path], folds: int) -> list[int]:
    done = {n for n in range(folds) for workdir in workdirs if _is_done(workdir, n)}
    return [number for number in range(folds) if number not in done]


def _is_done(workdir: Path, number: int) -> bool:
    return (_folder(workdir, number) / EVALUATION).is_file()


def _pool(workdirs: Sequence[Path], folds: Sequence[Fold], output: Path) -> list[CaseScore]:
    """Writes the report of all folds' cases, in the order of their names."""
    cases: list[CaseScore] = []
    sources: list[dict[str, Any]] = []
    figures: list[Path] = []
    for number, fold in enumerate(folds):
        folder, *others = (_folder(each, number) for each in workdirs if _is_done(each, number))
        for other in others:
            if (other / EVALUATION).read_bytes() != (folder / EVALUATION).read_bytes():
                raise InputError(
                    f"{other / EVALUATION}: differs from {folder / EVALUATION}; leave one of the "
                    "two out"
                )
        found = read_evaluation(folder)
        names = sorted(case.case for case in found.cases)
        if names != sorted(fold.test) or found.seen:
            raise InputError(
                f"{folder / EVALUATION}: expected the cases {', '.join(fold.test)}, held out; "
                f"found {', '.join(names)}, of them seen {', '.join(found.seen) or 'none'}; "
                "delete it to have the fold judged again"
            )
        cases += found.cases
        sources += found.sources
        figures += sorted((folder / FIGURES).glob(f"{PANELS}*.png"))
    cases.sort(key=lambda case: case.case)
    with only_user(make_folder(output)):
        write_report(output, Evaluation(cases, (), sources), figures)
    return cases
