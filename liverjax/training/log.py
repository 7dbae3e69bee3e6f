"""A run's metrics on disk: one JSON line per epoch, and the same for TensorBoard."""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.summary import scalar

from liverjax.errors import TrainingError
from liverjax.io.atomic import make_folder, write_text
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

    Raises:
        TrainingError: a file cannot be written.
    """

    def __init__(self, run: Path, records: Sequence[Mapping[str, float]], step: int) -> None:
        self._path, events = run / FILE_NAME, make_folder(run / EVENTS)
        told = restore_metrics(run, records)
        with _writing(events):
            self._events = EventsWriter(str(events / "events"))
            if step or told:
                # A kill may have cut off any of the points, and a step back leaves too many: all
                # are dropped and written anew.
                start = SessionLog(status=SessionLog.START)
                self._events.write_event(Event(wall_time=time.time(), step=1, session_log=start))
            for record in records:
                self._add_events(record)
            self._events.flush()

    def write(self, record: Mapping[str, float]) -> None:
        """Logs one epoch; `record` holds `step` and any number of figures.

        Raises:
            TrainingError: a file cannot be written.
        """
        with _writing(self._path), self._path.open("a") as lines:
            lines.write(json.dumps(record, allow_nan=False) + "\n")
        with _writing(self._path.with_name(EVENTS)):
            self._add_events(record)
            self._events.flush()

    def _add_events(self, record: Mapping[str, float]) -> None:
        # Not through a SummaryWriter: its queue can be lost with the process, and where a thread
        # of it fails for want of room the next points wait for ever.
        for name, value in record.items():
            point = Event(wall_time=time.time(), step=int(record["step"]))
            point.summary.CopyFrom(scalar(name, value))
            self._events.write_event(point)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with _writing(self._path.with_name(EVENTS)):
                self._events.close()
        except TrainingError:
            if error is None:  # else the first one is told
                raise


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Says of an error on writing which file it was, and that the run can go on from there."""
    try:
        yield
    except OSError as error:
        raise TrainingError(
            f"{path}: cannot be written ({error.strerror}); the checkpoints are intact. Make room "
            "and start the same command again: it goes on from the latest"
        ) from error


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
    """Makes `metrics.jsonl` hold exactly `records`; gives back what it held before.

    Raises:
        TrainingError: it cannot be written.
    """
    told = read_metrics(run)
    path = run / FILE_NAME
    text = "".join(json.dumps(record) + "\n" for record in records)
    # Not the records are compared: the next line would go on one that was cut off.
    if text != (path.read_text() if path.exists() else ""):
        with _writing(path):
            write_text(path, text)
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
