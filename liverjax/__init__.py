"""Liver and liver-tumour segmentation in CT with two cascaded networks, in JAX.

The names below are loaded when first used, so that `import liverjax` costs nothing.
"""

import importlib
from typing import Any

_HOMES = {
    "Geometry": "liverjax.volume",
    "Segmentation": "liverjax.volume",
    "Volume": "liverjax.volume",
    "Label": "liverjax.labels",
    "ExperimentConfig": "liverjax.config",
    "LiverjaxError": "liverjax.errors",
    "list_series": "liverjax.io.ct",
    "load_cascade": "liverjax.inference.cascade",
    "measure": "liverjax.reporting.measurements",
    "read_ct": "liverjax.io.ct",
    "read_scan": "liverjax.io.ct",
    "save_preview": "liverjax.reporting.preview",
    "write_segmentation": "liverjax.io.nifti",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'liverjax' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
