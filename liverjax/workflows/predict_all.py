"""What `predict` does with several CTs: one after another, whatever becomes of one."""

import dataclasses
import re
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from liverjax.errors import LiverjaxError
from liverjax.inference.cascade import Cascade
from liverjax.io.ct import Scan
from liverjax.wording import counted
from liverjax.workflows.case_files import Wanted, check_wanted, fingerprints, recorded_input
from liverjax.workflows.inputs import Case
from liverjax.workflows.predict import has_result, predict

_NUMBERED = re.compile(r"case\d{3,}")


class Told(NamedTuple):
    """What is to be told of a CT."""

    label: str
    text: str


@dataclasses.dataclass
class Outcome:
    """What became of some CTs, each by its label; for the terminal, as labels name files.

    Attributes:
        done: segmented now.
        skipped: segmented by an earlier call.
        without_liver: those of `done` in which no liver was found.
        failed: with the error.
        broken: with the traceback of an error that is nobody's but this program's.
        numbered: with the folder of its results, where those are numbered.
    """

    done: list[str] = dataclasses.field(default_factory=list)
    skipped: list[str] = dataclasses.field(default_factory=list)
    without_liver: list[str] = dataclasses.field(default_factory=list)
    failed: list[Told] = dataclasses.field(default_factory=list)
    broken: list[Told] = dataclasses.field(default_factory=list)
    numbered: list[Told] = dataclasses.field(default_factory=list)

    @property
    def succeeded(self) -> bool:
        """Whether there is a result of every CT."""
        return not self.failed and not self.broken


class _Numbers:
    """Names of folders that tell nothing of the CTs: case001 and so on.

    A CT whose result is there already has its number; a new one gets the lowest that is free.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        self._of_input: dict[str, str] = {}
        folders = output.iterdir() if output.is_dir() else ()
        for folder in sorted(folders, key=lambda folder: (len(folder.name), folder.name)):
            found = recorded_input(folder) if _NUMBERED.fullmatch(folder.name) else None
            if found is not None:  # of a CT that is there twice the first counts
                self._of_input.setdefault(found, folder.name)

    def name_of(self, scan: Scan) -> str:
        """The folder of a CT, that of an earlier result or a new one."""
        prints = sorted(fingerprints(scan))
        for each in prints:
            if each in self._of_input:
                return self._of_input[each]
        number = 1
        while not self._is_free(name := f"case{number:03d}"):
            number += 1
        self._of_input[prints[0]] = name
        return name

    def _is_free(self, name: str) -> bool:
        folder = self._output / name
        if name in self._of_input.values():
            return False
        if not folder.is_dir():
            return not folder.exists()
        # What a run that was stopped left behind is hidden.
        return all(path.name.startswith(".") for path in folder.iterdir())


def predict_all(
    cases: Sequence[Case],
    cascade: Cascade,
    output: Path,
    *,
    read: Callable[[Path], Scan],
    wanted: Wanted | None = None,
    overwrite: bool = False,
) -> Outcome:
    """Segments CTs, each into a folder of its own; see `predict.predict`.

    A CT that cannot be read or segmented does not keep the others from it. Neither does an error of
    the program, which `Outcome.broken` tells of. Where they are to be anonymised, the folders are
    called case001, case002, ..., and a CT keeps its number whatever others are given with it.

    Args:
        cases: from `inputs.find_cases`.
        cascade: see `liverjax.inference.cascade.load_cascade`.
        output: where the folders lie.
        read: such as `liverjax.io.ct.read_scan`.
        wanted: what to write besides the usual.
        overwrite: segment those again, too, that `predict.has_result` finds done, and replace
            results of other CTs.
    """
    wanted = wanted or Wanted()
    outcome = Outcome()
    numbers = _Numbers(output) if wanted.anonymize else None

    def folder_of(case: Case, scan: Scan) -> Path:
        """Where the result of a CT goes; with numbers known once it was read."""
        name = case.name if numbers is None else numbers.name_of(scan)
        if numbers is not None:
            outcome.numbered.append(Told(case.label, name))
        return output / name

    for case in tqdm(cases, desc="predict", unit="CT", disable=None):
        try:
            # A function, so that no CT is held while the next is read.
            liver = _predict_one(case, cascade, folder_of, read, wanted, overwrite)
        except (LiverjaxError, OSError, MemoryError) as error:
            outcome.failed.append(Told(case.label, _one_line(error, case)))
        except Exception:
            outcome.broken.append(Told(case.label, traceback.format_exc()))
        else:
            (outcome.skipped if liver is None else outcome.done).append(case.label)
            if liver is False:
                outcome.without_liver.append(case.label)
    return outcome


def _predict_one(
    case: Case,
    cascade: Cascade,
    folder_of: Callable[[Case, Scan], Path],
    read: Callable[[Path], Scan],
    wanted: Wanted,
    overwrite: bool,
) -> bool | None:
    """Segments a CT; whether a liver was found, None where it was segmented before."""
    scan = read(case.path)
    check_wanted(scan, wanted)
    folder = folder_of(case, scan)
    if not overwrite and has_result(scan, cascade, folder, wanted):
        return None
    found = predict(scan, cascade, folder, wanted, overwrite=overwrite)
    return bool(found.liver.any())


def _one_line(error: Exception, case: Case) -> str:
    """An error that names the input by its label; of a longer text the first line."""
    if isinstance(error, MemoryError):
        return "not enough memory"
    text = str(error)
    path = str(case.path)
    if text.startswith(path):  # but not further on, where a short path may be part of a word
        text = case.label + text.removeprefix(path)
    first, _, rest = text.partition("\n")
    return f"{first.rstrip(':')} (more with this --input alone)" if rest else first


def format_outcome(outcome: Outcome) -> str:
    """How many CTs came to what, and what is wrong with each that failed, in plain text."""
    lines = [f"{label}: {error.removeprefix(f'{label}: ')}" for label, error in outcome.failed]
    lines += [f"{label}: error of this program:\n{text}" for label, text in outcome.broken]
    lines += [f"{label}: no liver found" for label in outcome.without_liver]
    lines += [f"{name}: {label}" for label, name in sorted(outcome.numbered, key=_number)]
    failed = len(outcome.failed) + len(outcome.broken)
    lines.append(
        f"{counted(len(outcome.done), 'CT')} done, {len(outcome.skipped)} skipped, {failed} failed"
    )
    return "\n".join(lines)


def _number(told: Told) -> tuple[int, str]:
    return len(told.text), told.text
