"""A prepared dataset as the `Collection` that training and evaluation take."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from liverjax.datasets.collection import Collection, SourceOptions
from liverjax.datasets.livers import Livers
from liverjax.datasets.planned import PlannedSource
from liverjax.datasets.slices import PatientSummary
from liverjax.volume import Segmentation, Volume


def open_prepared(name: str, data_dir: Path) -> Collection:
    """The newest prepared version of a dataset.

    Args:
        name: e.g. "ircadb".
        data_dir: where prepared datasets lie.

    Raises:
        InputError: nothing is prepared there; says how to build it.
    """
    # Here, so that importing workflows needs no TensorFlow.
    from liverjax.input_pipeline import reader, slice_source

    builder = reader.open_dataset(name, data_dir)
    return _Prepared(builder, reader, slice_source.SliceSource)


class _Prepared:
    """See `Collection`; nothing is read before it is asked for."""

    def __init__(self, builder: Any, reader: Any, source: Callable[..., PlannedSource]) -> None:
        self._builder, self._reader, self._source = builder, reader, source
        self.name: str = builder.name
        self.fingerprint: str = reader.dataset_fingerprint(builder)
        self.summaries: Mapping[str, PatientSummary] = reader.summaries(builder)

    def read(self, patient: str) -> tuple[Volume, Segmentation]:
        """See `Collection`."""
        return self._reader.read_volume(self._builder, patient)

    def contents(self, patients: Sequence[str]) -> dict[str, np.ndarray]:
        """See `Collection`."""
        return self._reader.contents(self._builder, patients)

    def source(
        self, patients: Sequence[str], options: SourceOptions, livers: Livers | None = None
    ) -> PlannedSource:
        """See `Collection`."""
        return self._source(self._builder, patients, **options._asdict(), livers=livers)
