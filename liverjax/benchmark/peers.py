"""Peers are other people's packages, which liverjax itself does not need."""

import importlib.util

from liverjax.errors import BenchmarkError


def require(*packages: str) -> None:
    """Checks that packages can be imported, without importing them.

    Raises:
        BenchmarkError: names the first that cannot, and what installs it.
    """
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise BenchmarkError(
                f"{package}: not installed, and a peer of this benchmark; run pip install -e "
                "'.[bench]', or choose others with --only, or give --nopeers"
            )
