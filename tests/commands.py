"""Runs a command of the README as a user does."""

import subprocess
import sys

from tests.conftest import ROOT


def run(command, *flags):
    """`python -m experiments.<command> <flags>` in the checkout, with what it told."""
    return subprocess.run(
        [sys.executable, "-m", f"experiments.{command}", *map(str, flags)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
