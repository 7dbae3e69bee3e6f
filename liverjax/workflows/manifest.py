"""How a run came about: enough to repeat it, and to see on what its weights may be judged."""

import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax

from liverjax import config as config_lib
from liverjax.config import ExperimentConfig

_PACKAGES = ("liverjax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def build_manifest(config: ExperimentConfig, dataset_fingerprint: str) -> dict[str, Any]:
    """JSON-ready facts of a run that is about to start.

    Args:
        config: the experiment.
        dataset_fingerprint: of the prepared dataset's inputs.
    """
    dataset = config.dataset
    return {
        "command": shlex.join(sys.argv),
        "config": config_lib.to_dict(config),
        "commit": _commit(),
        "versions": {
            "python": platform.python_version(),
            **{name: _version(name) for name in _PACKAGES},
        },
        # Equal bits are promised per jaxlib version, kind of device and number of CPUs.
        "device": {
            "platform": jax.default_backend(),
            "kind": jax.devices()[0].device_kind,
            "count": jax.device_count(),
            "cpus": _cpus(),
        },
        "dataset": {"name": dataset.name, "fingerprint": dataset_fingerprint},
        "patients": {
            "train": list(dataset.train),
            "validation": list(dataset.validation),
            "test": list(dataset.test),
        },
    }


def _cpus() -> int | None:
    """CPUs that this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Commit of the checkout, with "-dirty" where files differ from it; None outside of one."""
    checkout = Path(__file__).parents[2]
    if not (checkout / ".git").exists():
        return None
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()
