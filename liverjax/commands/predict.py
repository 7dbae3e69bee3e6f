"""Segments CTs: DICOM folders, zip archives, NIfTI files, or folders of patients.

liverjax-predict --input=PATH --output=DIR [--liver=DIR --tumor=DIR]

Without --liver and --tumor the networks are those that come with liverjax.

Of one CT the results lie in --output itself. Several inputs, or a folder of patients, get a folder
each. A folder of patients holds NIfTI files, or folders or archives that are 3D-IRCADb-01 patients
or whose CTs belong to different studies. Results that are there already are left as they are.
"""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from absl import flags

from liverjax.commands import app
from liverjax.errors import InputError, LiverjaxError
from liverjax.inference.cascade import Cascade, load_cascade
from liverjax.io.atomic import make_folder
from liverjax.io.ct import read_scan
from liverjax.workflows.case_files import REPORT, Wanted, check_wanted, files_of
from liverjax.workflows.inputs import Case, find_cases
from liverjax.workflows.predict import has_result, predict
from liverjax.workflows.predict_all import format_outcome, predict_all
from liverjax.workflows.series_list import list_input

_OWN = flags.FlagValues()
_string = partial(flags.DEFINE_string, flag_values=_OWN)
_bool = partial(flags.DEFINE_bool, flag_values=_OWN)

_INPUT = flags.DEFINE_multi_string(
    "input",
    None,
    "DICOM folder, zip archive, NIfTI file, or folder of patients; may be repeated.",
    flag_values=_OWN,
)
_LIVER = _string("liver", None, "Workdir of a liver network of your own.")
_TUMOR = _string("tumor", None, "Workdir of a tumour network of your own.")
_WEIGHTS = _string("weights", None, "Folder that experiments.ship wrote, in place of both.")
_OUTPUT = _string("output", None, "Folder for the results.")
_SERIES_UID = _string("series_uid", None, "SeriesInstanceUID to read, where there are several.")
_LIST_SERIES = _bool("list_series", False, "List the DICOM series of the inputs, and end.")
_LENIENT = _bool(
    "lenient", False, "DICOM only: mend series that lack slices, are tilted and the like."
)
_SPACING_KNOWN = _bool(
    "spacing_known",
    None,
    "NIfTI only: whether its voxel size is real. By default it is taken as a placeholder, so that "
    "no figure is in mm or mL, where voxels are exactly 1 mm along all axes and the first lies at "
    "whole millimetres or the unit is unknown.",
)
_ANONYMIZE = _bool("anonymize", False, "No patient in DICOM objects; folders of results by number.")
_PROBABILITIES = _bool("probabilities", False, "Write the networks' probabilities as NIfTI, too.")
_FRACTIONAL = _bool(
    "fractional", False, "DICOM only: write them as a DICOM segmentation object, too."
)
_OVERWRITE = _bool(
    "overwrite", False, "Segment what is there already again; replace results of other CTs."
)


def main() -> None:
    """Predicts or lists as the flags say."""
    inputs = _INPUT.value or [""]
    if not all(inputs):
        raise InputError("--input: expected a path, found nothing")
    cases = find_cases([Path(name).expanduser() for name in inputs])
    if len(cases) > 1 and _SERIES_UID.value is not None:
        raise InputError(f"--series_uid: expected one CT as --input, found {len(cases)}")
    if _LIST_SERIES.value:
        _list_series(cases)
        return
    if not _OUTPUT.value:
        raise InputError("--output: expected a folder; only --list_series needs none")
    app.check_networks(_LIVER, _TUMOR, _WEIGHTS)
    if cases[0].name:
        _predict_all(cases)
    else:
        _predict_one(cases[0])


def _predict_one(case: Case) -> None:
    # The CT first: what is wrong with it shows before anything is compiled.
    scan = read_scan(
        case.path,
        series_uid=_SERIES_UID.value,
        lenient=_LENIENT.value,
        spacing_known=_SPACING_KNOWN.value,
    )
    output, wanted = app.path(_OUTPUT), _wanted()
    check_wanted(scan, wanted)
    cascade = _load_cascade()
    if not _OVERWRITE.value and has_result(scan, cascade, output, wanted):
        print("there already, --overwrite makes it anew:")
    else:
        predict(scan, cascade, output, wanted, overwrite=_OVERWRITE.value)
    for name in (*files_of(scan, wanted), REPORT):
        if (output / name).is_file():
            print(output / name)


def _predict_all(cases: Sequence[Case]) -> None:
    cascade = _load_cascade()
    output = make_folder(app.path(_OUTPUT))
    outcome = predict_all(
        cases,
        cascade,
        output,
        read=partial(
            read_scan,
            series_uid=_SERIES_UID.value,
            lenient=_LENIENT.value,
            spacing_known=_SPACING_KNOWN.value,
        ),
        wanted=_wanted(),
        overwrite=_OVERWRITE.value,
    )
    print(f"{format_outcome(outcome)}\n{output}")
    if not outcome.succeeded:
        sys.exit(1)


def _load_cascade() -> Cascade:
    liver, tumor, weights = (app.optional_path(flag) for flag in (_LIVER, _TUMOR, _WEIGHTS))
    return load_cascade(liver, tumor, weights=weights)


def _wanted() -> Wanted:
    return Wanted(_PROBABILITIES.value, _FRACTIONAL.value, _ANONYMIZE.value)


def _list_series(cases: Sequence[Case]) -> None:
    failed = False
    for case in cases:
        print(f"{case.label}:")
        try:
            lines, error = list_input(case.path, _SERIES_UID.value)
        except (LiverjaxError, OSError) as problem:
            lines, error = [], str(problem)
        print("".join(f"{line}\n" for line in lines), end="", flush=True)
        if error is not None:
            print(f"error: {error}", file=sys.stderr)
            failed = True
    if failed:
        sys.exit(1)


def run() -> None:
    """The command, as the console script and `experiments.predict` call it."""
    app.run(main, _OWN, __doc__ or "")
