"""What `predict` does with one CT: a segmentation, a picture and a report out."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from liverjax.choices import Stage
from liverjax.errors import InputError
from liverjax.inference.cascade import Cascade, Prediction
from liverjax.io.atomic import make_folder, staging, write_json
from liverjax.io.ct import Scan
from liverjax.io.dicom.reference import Algorithm
from liverjax.io.dicom.segmentation import write_fractional_object, write_segmentation_object
from liverjax.io.lock import only_user
from liverjax.io.nifti import write_probability, write_segmentation
from liverjax.reporting.case_page import save_report_page
from liverjax.reporting.case_report import NO_LIVER, build_report
from liverjax.reporting.preview import save_preview
from liverjax.volume import Segmentation
from liverjax.workflows import case_files as files
from liverjax.workflows.case_files import Wanted
from liverjax.workflows.sources import describe_source

_LOGGER = logging.getLogger(__name__)

# The only case of its report: an input's own name may be a patient's.
_CASE = "CT"
_STAGING = ".unfinished"


def predict(
    scan: Scan,
    cascade: Cascade,
    output: Path,
    wanted: Wanted | None = None,
    *,
    overwrite: bool = False,
) -> Segmentation:
    """Segments one CT and writes the files of `liverjax.workflows.case_files.files_of`.

    They are made in a hidden folder and take their places together, `report.json` last; files of
    an earlier result that are not among them are deleted, and no others. Where the program is
    stopped in between, there is no `report.json`. A DICOM object that the tags of the images do
    not allow, as of some research data, is left out, which the log and the report say. So they do
    where no liver is found, which is no error: the segmentation is empty then.

    Args:
        scan: the CT, from `liverjax.io.ct.read_scan`.
        cascade: see `liverjax.inference.cascade.load_cascade`.
        output: folder, made where it is absent; nothing in it changes until all is made.
        wanted: what to write besides the usual.
        overwrite: replace the result of another CT, too.

    Raises:
        InputError: `output` cannot be a folder, another process is writing there, it holds files
            of such names that no earlier result lists, or the result of another CT; a fractional
            object is wanted of NIfTI.
    """
    wanted = wanted or Wanted()
    files.check_wanted(scan, wanted)
    with only_user(make_folder(output)):
        files.check_folder(output, scan, overwrite=overwrite)
        prediction = cascade.predict(scan.volume)
        if not prediction.segmentation.liver.any():
            _LOGGER.warning("%s: %s", output, NO_LIVER)
        with staging(output / _STAGING) as made:
            report = _write(made, scan, cascade, prediction, wanted)
            _publish(made, output, report["made"])
    return prediction.segmentation


def has_result(scan: Scan, cascade: Cascade, output: Path, wanted: Wanted | None = None) -> bool:
    """Whether `predict` with the same arguments has finished before.

    What counts are the CT (see `case_files.fingerprint`) and how it was mended, checkpoints and
    thresholds of both networks, version and commit of this package, and which files are wanted.
    Of networks that were not loaded from checkpoints it cannot be told.
    """
    if None in (cascade.liver.fingerprint, cascade.tumor.fingerprint):
        return False
    expected = _expected(scan, cascade, wanted or Wanted())
    return files.is_finished(output, expected)


def _expected(scan: Scan, cascade: Cascade, wanted: Wanted) -> dict[str, Any]:
    """The part of `report.json` that does not depend on what is found."""
    return {
        "source": {key: value for key, value in _source(cascade).items() if key != "cases"},
        "repairs": _repairs(scan),
        "made": files.describe_result(scan, wanted),
    }


def _source(cascade: Cascade) -> dict[str, Any]:
    return describe_source([_CASE], {Stage.LIVER: cascade.liver, Stage.TUMOR: cascade.tumor})


def _algorithm(source: Mapping[str, Any]) -> Algorithm:
    """The networks as a DICOM object names them."""
    code = source["liverjax"]
    return Algorithm(
        name="liverjax",
        version=str(code["version"]),
        parameters={
            "commit": str(code["commit"]),
            **{
                f"{stage.value} {field}": str(source[stage.value][field])
                for stage in Stage
                for field in ("checkpoint", "weights", "postprocess")
            },
        },
    )


def _repairs(scan: Scan) -> list[str]:
    return [item.what for item in scan.repairs]


def _write(
    made: Path, scan: Scan, cascade: Cascade, prediction: Prediction, wanted: Wanted
) -> dict[str, Any]:
    """Writes all files of a result into an empty folder; returns its report."""
    volume, (segmentation, liver, tumor) = scan.volume, prediction
    source = _source(cascade)
    report = build_report(volume, segmentation, source=source, repairs=_repairs(scan))
    left_out = _write_objects(made, scan, prediction, _algorithm(source), wanted)
    report["made"] = files.describe_result(scan, wanted, left_out)
    write_segmentation(made / files.SEGMENTATION, segmentation)
    if wanted.probabilities:
        write_probability(made / files.LIVER_PROBABILITY, liver, volume.geometry)
        write_probability(made / files.TUMOR_PROBABILITY, tumor, volume.geometry)
    save_preview(made / files.PREVIEW, volume, segmentation)
    save_report_page(made / files.PAGE, report, volume, segmentation)
    write_json(made / files.REPORT, report)
    return report


def _write_objects(
    made: Path, scan: Scan, prediction: Prediction, algorithm: Algorithm, wanted: Wanted
) -> list[str]:
    """Writes the DICOM objects; returns the names of those that cannot be made."""
    source, (segmentation, liver, tumor) = scan.source, prediction
    if source is None:
        return []
    writers: dict[str, Callable[[Path], None]] = {
        files.OBJECT: lambda path: write_segmentation_object(
            path, source, segmentation, algorithm, anonymize=wanted.anonymize
        )
    }
    if wanted.fractional:
        writers[files.FRACTIONAL] = lambda path: write_fractional_object(
            path, source, liver, tumor, algorithm, anonymize=wanted.anonymize
        )
    left_out = []
    for name, write in writers.items():
        try:
            write(made / name)
        except InputError as error:  # alone: what else goes wrong may go well the next time
            reason = str(error).removeprefix(f"{made / name}: ")
            _LOGGER.warning("%s: left out: %s", made.parent / name, reason)
            left_out.append(name)
    return left_out


def _publish(made: Path, output: Path, description: Mapping[str, Any]) -> None:
    """Moves a result to its place; `report.json` says that it is whole, so it goes first.

    Args:
        made: where its files lie.
        output: their place.
        description: from `case_files.describe_result`.
    """
    # Asked again: somebody may have put a file there meanwhile.
    earlier = files.earlier_names(output)
    names = (*description["files"], files.REPORT)
    write_json(output / files.MARKER, files.marker(description, earlier))
    (output / files.REPORT).unlink(missing_ok=True)
    for name in sorted(earlier.difference(names)):
        (output / name).unlink(missing_ok=True)
    for name in names:
        (made / name).replace(output / name)
    (output / files.MARKER).unlink()
