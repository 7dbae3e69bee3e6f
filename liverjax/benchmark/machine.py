"""On what machine, with what software and by what command something was timed."""

import importlib.metadata
import os
import platform
import shlex
import sys
from pathlib import Path
from typing import Any

import jax

_PACKAGES = (
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "numpy",
    "pydicom",
    "torch",
    "monai",
    "SimpleITK",
    "medpy",
)


def describe_machine() -> dict[str, Any]:
    """JSON-ready: processor, cores, device, versions and command; None where unknown."""
    device = jax.devices()[0]
    return {
        "command": shlex.join(sys.argv),
        "cpu": _cpu_model(),
        "cores": cores(),
        "system": platform.platform(),
        "device": {
            "platform": device.platform,
            "kind": device.device_kind,
            "count": jax.device_count(),
        },
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _PACKAGES},
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
    }


def cores() -> int:
    """Cores that this process may use, which is the number of threads that XLA computes with."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share_machine() -> None:
    """Lets two frameworks live in one process; to be called before either is used.

    JAX would otherwise take most of a GPU's memory for itself, and OpenMP's idle threads (those
    of PyTorch) may spin for a while where they should leave the cores to XLA's turn.
    """
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _cpu_model() -> str | None:
    """Model name of the processor."""
    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        for line in listing.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or None


def _version(package: str) -> str | None:
    """Version of an installed package; None of another."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
