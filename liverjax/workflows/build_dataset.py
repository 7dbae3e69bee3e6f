"""Prepares a dataset from the files of its patients, and tells what is in it."""

import dataclasses
import importlib
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from liverjax.datasets.pairs.layouts import PairOptions
from liverjax.datasets.slices import PatientSummary
from liverjax.errors import ConfigError

DATASETS = ("ircadb", "lits")


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
    dataset: str,
    folders: Path | Sequence[Path],
    data_dir: Path,
    *,
    rebuild: bool = False,
    options: PairOptions | None = None,
) -> DatasetSummary:
    """Builds a dataset, or reuses what was prepared from the same files.

    Args:
        dataset: one of `DATASETS`.
        folders: with the patients, packed or unpacked; of "lits" one or several.
        data_dir: where prepared datasets lie.
        rebuild: builds anew and then replaces what is there, which stays untouched on failure.
        options: of "lits", what cannot be told from the files.

    Raises:
        ConfigError: no such dataset, or folders or options that it has no use for.
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
    folders = [folders] if isinstance(folders, Path) else [*folders]
    prepare = _preparation(dataset, module, folders, options)
    if prepared and rebuild:
        _replace(prepare, data_dir)
    else:
        prepare(data_dir)
    builder = reader.open_dataset(dataset, data_dir)
    return DatasetSummary(
        name=dataset,
        fingerprint=reader.dataset_fingerprint(builder),
        patients=reader.summaries(builder),
        missing=tuple(builder.info.metadata["missing"]),
        reused=prepared and not rebuild,
    )


def _preparation(
    dataset: str, module: Any, folders: Sequence[Path], options: PairOptions | None
) -> Callable[[Path], Any]:
    """What builds the dataset below a folder."""
    if dataset == "lits":
        return lambda data_dir: module.prepare(folders, data_dir, options or PairOptions())
    if len(folders) != 1:
        raise ConfigError(f"manual_dir: expected one for {dataset}, found {len(folders)}")
    if options not in (None, PairOptions()):
        raise ConfigError(
            f"label_map, images, labels, spacing_known: expected none for {dataset}, whose layout "
            "says it all; one's own files are built as --dataset=lits"
        )
    return partial(module.prepare, folders[0])


def _replace(prepare: Callable[[Path], Any], data_dir: Path) -> None:
    """Builds beside the prepared dataset and takes its place only once that is complete."""
    with tempfile.TemporaryDirectory(prefix=".rebuild-", dir=data_dir) as side:
        fresh = Path(prepare(Path(side)).data_dir)
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
    width = max(10, *(len(name) + 2 for name, _ in rows))
    lines = [
        f"{'patient':<{width}}{'slices':>8}{'with liver':>12}{'liver voxels':>14}"
        f"{'tumour voxels':>15}"
    ]
    for name, p in rows:
        tumors = f"{p.tumor_voxels:,}" if p.tumors_known else "not annotated"
        counts = f"{p.slices:>8,}{p.liver_slices:>12,}{p.liver_voxels:>14,}"
        lines.append(f"{name:<{width}}{counts}{tumors:>15}")
    if summary.missing:
        lines.append(f"missing: {', '.join(summary.missing)}")
    lines.append(f"{'reused, inputs unchanged' if summary.reused else 'built'}: {summary.name}, ")
    lines[-1] += f"fingerprint {summary.fingerprint[:12]}"
    return "\n".join(lines)
