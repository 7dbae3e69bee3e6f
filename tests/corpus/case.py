"""What a case of the corpus is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from liverjax.io.ct import read_scan


def nothing(result):
    """No check of what was read."""


class Case(NamedTuple):
    """An input, and what its reader must do with it.

    Attributes:
        name: unique.
        make: writes the input below an empty folder and gives its path.
        error: class of the error, or None where the input can be read.
        field: that the message must name: a tag, a field or a part of a file.
        message: what the message must match, the file's name in front.
        read: the reader.
        check: raises AssertionError where what was read is wrong.
    """

    name: str
    make: Callable[[Path], Path]
    error: type[Exception] | None
    field: str
    message: str
    read: Callable[[Path], Any] = read_scan
    check: Callable[[Any], None] = nothing
