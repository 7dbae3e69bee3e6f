"""Lays 3D-IRCADb-01 out as the thesis' notebooks expect it, and tells what was written."""

from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from liverjax.datasets.ircadb.layout import find_patients
from liverjax.datasets.ircadb.thesis_export import ExportedPatient, export_patient
from liverjax.datasets.splits import patient_number, patient_split
from liverjax.errors import InputError
from liverjax.io.atomic import make_folder
from liverjax.io.lock import only_user

# What the notebooks call the folder that they train from.
TOP = "train"


def export_thesis(
    manual_dir: Path, output: Path, patients: Sequence[str] = ()
) -> list[ExportedPatient]:
    """Writes `output/train/patients` and `output/train/masks` from the download.

    Each patient is written whole or not at all; those written before an error stay.

    Args:
        manual_dir: folder with the patients as downloaded, packed or unpacked.
        output: outside of `manual_dir`, where a second set of files of a patient is an error.
        patients: names, such as "patient04"; by default all that are found.

    Raises:
        InputError: a patient is not there, cannot be read, or is in `output` with other content;
            `output` lies in `manual_dir`, or another process writes to it.
        SplitError: a name is not one of a patient.
    """
    if output.resolve().is_relative_to(manual_dir.resolve()):
        raise InputError(
            f"{output}: lies in {manual_dir}, where it would be found as a second set of the same "
            "patients; give a folder outside of it"
        )
    found = find_patients(manual_dir)
    numbers = sorted({patient_number(name) for name in patients}) or list(found)
    missing = [patient_split(number) for number in numbers if number not in found]
    if missing:
        raise InputError(
            f"{manual_dir}: expected {', '.join(missing)}, found "
            f"{', '.join(patient_split(number) for number in found)}"
        )
    bar = tqdm(numbers, desc="export", unit="patient", disable=None)
    with only_user(make_folder(output / TOP)):
        return [export_patient(found[number], output / TOP) for number in bar]


def format_summary(exported: Sequence[ExportedPatient], output: Path) -> str:
    """A table of what was exported, in plain text."""
    lines = [
        f"{'patient':<10}{'slices':>8}{'liver voxels':>14}{'tumour voxels':>15}{'with tumour':>13}"
        f"{'changed by JPEG':>17}{'liver masks to 255':>20}{'new files':>11}"
    ]
    lines += [
        f"{patient_split(p.number):<10}{p.slices:>8,}{p.liver_voxels:>14,}{p.tumor_voxels:>15,}"
        f"{p.tumor_slices:>13,}{p.jpeg_changed:>17,}{p.liver_rewritten:>20,}{p.written:>11,}"
        for p in exported
    ]
    lines.append(f"in {output / TOP}: {sum(p.slices for p in exported):,} slices")
    return "\n".join(lines)
