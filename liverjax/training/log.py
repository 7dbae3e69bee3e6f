"""A run's metrics on disk: one JSON line per epoch, and the same for TensorBoard."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tensorboardX import SummaryWriter

from liverjax.io.atomic import write_text

FILE_NAME = "metrics.jsonl"
EVENTS = "events"


class MetricLog:
    """Appends to `metrics.jsonl` and to the event files in `events/`.

    Args:
        run: the run's folder.
        step: updates already done; what an interrupted run logged beyond it is dropped, since
            it will be done again.
    """

    def __init__(self, run: Path, step: int) -> None:
        self._path = run / FILE_NAME
        kept = [record for record in read_metrics(run) if record["step"] <= step]
        write_text(self._path, "".join(json.dumps(record) + "\n" for record in kept))
        self._events = SummaryWriter(str(run / EVENTS), purge_step=step + 1 if step else None)

    def write(self, record: Mapping[str, float]) -> None:
        """Logs one epoch; `record` holds `step` and any number of figures."""
        with self._path.open("a") as lines:
            lines.write(json.dumps(record, allow_nan=False) + "\n")
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
