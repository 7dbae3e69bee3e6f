"""A prepared dataset as the `Collection` that training and evaluation take."""

from collections.abc import Mapping, Sequence
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
    from liverjax import input_pipeline  # here, so that importing workflows needs no TensorFlow

    return _Prepared(input_pipeline, input_pipeline.open_dataset(name, data_dir))


class _Prepared:
    """See `Collection`; slices are read by `input_pipeline` when they are asked for."""

    def __init__(self, pipeline: Any, builder: Any) -> None:
        self._pipeline, self._builder = pipeline, builder
        self.name: str = builder.name
        self.fingerprint: str = pipeline.dataset_fingerprint(builder)
        self.summaries: Mapping[str, PatientSummary] = pipeline.summaries(builder)

    def read(self, patient: str) -> tuple[Volume, Segmentation]:
        """See `Collection`."""
        return self._pipeline.read_volume(self._builder, patient)

    def contents(self, patients: Sequence[str]) -> dict[str, np.ndarray]:
        """See `Collection`."""
        return self._pipeline.contents(self._builder, patients)

    def source(
        self, patients: Sequence[str], options: SourceOptions, livers: Livers | None = None
    ) -> PlannedSource:
        """See `Collection`."""
        return self._pipeline.SliceSource(
            self._builder, patients, **options._asdict(), livers=livers
        )
