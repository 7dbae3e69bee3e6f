"""What `predict` does with several CTs: one after another, whatever becomes of one."""

import dataclasses
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from liverjax.errors import LiverjaxError
from liverjax.inference.cascade import Cascade
from liverjax.io.ct import Scan
from liverjax.wording import counted
from liverjax.workflows.case_files import Wanted
from liverjax.workflows.inputs import Case
from liverjax.workflows.predict import has_result, predict


@dataclasses.dataclass
class Outcome:
    """What became of some CTs, each by its label; for the terminal, as labels name files.

    Attributes:
        done: segmented now.
        skipped: segmented by an earlier call.
        failed: with the error.
        broken: with the traceback of an error that is nobody's but this program's.
    """

    done: list[str] = dataclasses.field(default_factory=list)
    skipped: list[str] = dataclasses.field(default_factory=list)
    failed: dict[str, str] = dataclasses.field(default_factory=dict)
    broken: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        """Whether there is a result of every CT."""
        return not self.failed and not self.broken


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
    the program, which `Outcome.broken` tells of.

    Args:
        cases: from `inputs.find_cases`.
        cascade: see `liverjax.inference.cascade.load_cascade`.
        output: where the folders lie.
        read: such as `liverjax.io.ct.read_scan`.
        wanted: what to write besides the usual.
        overwrite: segment those again, too, that `predict.has_result` finds done.
    """
    wanted = wanted or Wanted()
    outcome = Outcome()
    for case in tqdm(cases, desc="predict", unit="CT", disable=None):
        try:
            # A function, so that no CT is held while the next is read.
            skipped = _predict_one(case, cascade, output, read, wanted, overwrite)
        except (LiverjaxError, OSError, MemoryError) as error:
            outcome.failed[case.label] = _one_line(error, case)
        except Exception:
            outcome.broken[case.label] = traceback.format_exc()
        else:
            (outcome.skipped if skipped else outcome.done).append(case.label)
    return outcome


def _predict_one(
    case: Case,
    cascade: Cascade,
    output: Path,
    read: Callable[[Path], Scan],
    wanted: Wanted,
    overwrite: bool,
) -> bool:
    """Segments a CT; True where that was done before."""
    scan = read(case.path)
    folder = output / case.name
    if not overwrite and has_result(scan, cascade, folder, wanted):
        return True
    predict(scan, cascade, folder, wanted)
    return False


def _one_line(error: Exception, case: Case) -> str:
    """An error that names the input by its label; of a longer text the first line."""
    if isinstance(error, MemoryError):
        return "not enough memory"
    text = str(error).replace(str(case.path), case.label)
    first, _, rest = text.partition("\n")
    return f"{first.rstrip(':')} (more with this --input alone)" if rest else first


def format_outcome(outcome: Outcome) -> str:
    """How many CTs came to what, and what is wrong with each that failed, in plain text."""
    lines = [
        f"{label}: {error.removeprefix(f'{label}: ')}" for label, error in outcome.failed.items()
    ]
    lines += [f"{label}: error of this program:\n{text}" for label, text in outcome.broken.items()]
    failed = len(outcome.failed) + len(outcome.broken)
    lines.append(
        f"{counted(len(outcome.done), 'CT')} done, {len(outcome.skipped)} skipped, {failed} failed"
    )
    return "\n".join(lines)
