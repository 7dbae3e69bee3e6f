"""Prepares a dataset from the files of its patients, and tells what is in it."""

import dataclasses
import importlib
import tempfile
from pathlib import Path
from typing import Any

from liverjax.datasets.slices import PatientSummary
from liverjax.errors import ConfigError

DATASETS = ("ircadb",)


@dataclasses.dataclass(frozen=True)
class DatasetSummary:
    """A prepared dataset.

    Attributes:
        name: e.g. "ircadb".
        fingerprint: equal for datasets with equal examples.
        patients: what is known of each patient, by name.
        missing: patients of the original collection that were not there.
        reused: whether it was already prepared from the same files.
    """

    name: str
    fingerprint: str
    patients: dict[str, PatientSummary]
    missing: tuple[str, ...]
    reused: bool

    @property
    def total(self) -> PatientSummary:
        """Sums over the patients."""
        counts = ("slices", "liver_slices", "liver_voxels", "tumor_voxels")
        return PatientSummary(
            self.fingerprint,
            **{c: sum(getattr(patient, c) for patient in self.patients.values()) for c in counts},
        )


def build_dataset(
    dataset: str, manual_dir: Path, data_dir: Path, *, rebuild: bool = False
) -> DatasetSummary:
    """Builds a dataset, or reuses what was prepared from the same files.

    Args:
        dataset: one of `DATASETS`.
        manual_dir: folder with the patients, packed or unpacked.
        data_dir: where prepared datasets lie.
        rebuild: builds anew and then replaces what is there, which stays untouched on failure.

    Raises:
        ConfigError: no such dataset.
        InputError: a patient cannot be read, or the dataset was prepared from other files and
            `rebuild` is not set.
    """
    from liverjax.input_pipeline import (
        reader,  # here, so that importing workflows needs no TensorFlow
    )

    if dataset not in DATASETS:
        raise ConfigError(f"dataset: expected one of {', '.join(DATASETS)}, found {dataset!r}")
    module = importlib.import_module(f"liverjax.datasets.{dataset}.{dataset}_dataset_builder")
    prepared = module.Builder(data_dir=data_dir).data_path.exists()
    if prepared and rebuild:
        _replace(module.prepare, manual_dir, data_dir)
    else:
        module.prepare(manual_dir, data_dir)
    builder = reader.open_dataset(dataset, data_dir)
    return DatasetSummary(
        name=dataset,
        fingerprint=reader.dataset_fingerprint(builder),
        patients=reader.summaries(builder),
        missing=tuple(builder.info.metadata["missing"]),
        reused=prepared and not rebuild,
    )


def _replace(prepare: Any, manual_dir: Path, data_dir: Path) -> None:
    """Builds beside the prepared dataset and takes its place only once that is complete."""
    with tempfile.TemporaryDirectory(prefix=".rebuild-", dir=data_dir) as side:
        fresh = Path(prepare(manual_dir, Path(side)).data_dir)
        target = data_dir / fresh.relative_to(side)
        old = Path(side) / "old"
        target.rename(old)
        try:
            fresh.rename(target)
        except BaseException:
            old.rename(target)
            raise


def format_summary(summary: DatasetSummary) -> str:
    """A table of the patients and their sums, in plain text."""
    rows = [*summary.patients.items(), ("total", summary.total)]
    lines = [
        f"{'patient':<10}{'slices':>8}{'with liver':>12}{'liver voxels':>14}{'tumour voxels':>15}"
    ]
    lines += [
        f"{name:<10}{p.slices:>8,}{p.liver_slices:>12,}{p.liver_voxels:>14,}{p.tumor_voxels:>15,}"
        for name, p in rows
    ]
    if summary.missing:
        lines.append(f"missing: {', '.join(summary.missing)}")
    lines.append(f"{'reused, inputs unchanged' if summary.reused else 'built'}: {summary.name}, ")
    lines[-1] += f"fingerprint {summary.fingerprint[:12]}"
    return "\n".join(lines)
