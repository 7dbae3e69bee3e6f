"""A run's metrics on disk: one JSON line per epoch, and the same for TensorBoard."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tensorboardX import SummaryWriter

from liverjax.io.atomic import write_text
from liverjax.training.devices import is_first_process

FILE_NAME = "metrics.jsonl"
EVENTS = "events"


class MetricLog:
    """Appends to `metrics.jsonl` and to the event files in `events/`.

    Args:
        run: the run's folder.
        records: what a resumed run has logged up to its checkpoint; all else is dropped, since
            it will be done again.
        step: updates that the checkpoint has behind it.
    """

    def __init__(self, run: Path, records: Sequence[Mapping[str, float]], step: int) -> None:
        self._path = run / FILE_NAME
        told = restore_metrics(run, records)
        self._events = SummaryWriter(str(run / EVENTS), purge_step=step + 1 if step else None)
        for record in records:
            if record not in told:  # the run was killed between its checkpoint and its log
                self._add_events(record)

    def write(self, record: Mapping[str, float]) -> None:
        """Logs one epoch; `record` holds `step` and any number of figures."""
        with self._path.open("a") as lines:
            lines.write(json.dumps(record, allow_nan=False) + "\n")
        self._add_events(record)

    def _add_events(self, record: Mapping[str, float]) -> None:
        for name, value in record.items():
            self._events.add_scalar(name, value, int(record["step"]))
        self._events.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._events.close()


@contextlib.contextmanager
def open_log(
    run: Path, records: Sequence[Mapping[str, float]], step: int
) -> Iterator[MetricLog | None]:
    """A `MetricLog` for the first process of a run, none for the others."""
    if not is_first_process():
        yield None
        return
    with MetricLog(run, records, step) as log:
        yield log


def restore_metrics(run: Path, records: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """Makes `metrics.jsonl` hold exactly `records`; gives back what it held before."""
    told = read_metrics(run)
    if told != list(records):
        text = "".join(json.dumps(record) + "\n" for record in records)
        write_text(run / FILE_NAME, text)
    return told


def read_metrics(run: Path) -> list[dict[str, float]]:
    """The records of a run, oldest first; a line cut off by a crash is left out."""
    path = run / FILE_NAME
    if not path.exists():
        return []
    records = []
    for line in path.read_text().splitlines():
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return records
