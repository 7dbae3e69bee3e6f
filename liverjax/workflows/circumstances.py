"""By which command, code and machine something came about."""

import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax

_PACKAGES = ("liverjax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def circumstances() -> dict[str, Any]:
    """Command, commit, versions and device of this process, JSON-ready."""
    return {
        "command": shlex.join(sys.argv),
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
    }


def software() -> dict[str, str | None]:
    """Version and commit of this package."""
    return {"version": _version("liverjax"), "commit": _commit()}


def changes(begun: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """In what code and machine of a resumed run differ from those that it was begun with."""
    changes = []
    if begun["commit"] != now["commit"]:
        changes.append(f"begun at commit {begun['commit']}, now {now['commit']}")
    for part in ("versions", "device"):
        for name, value in now[part].items():
            if begun[part].get(name) != value:
                changes.append(f"begun with {name} {begun[part].get(name)}, now {value}")
    return changes


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
