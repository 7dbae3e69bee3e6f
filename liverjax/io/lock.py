"""Folders that one process at a time may write to."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from liverjax.errors import InputError

try:
    import fcntl
except ImportError:  # Windows has no such locks; there the folder is not guarded
    fcntl = None  # type: ignore[assignment]

_NAME = ".lock"


@contextlib.contextmanager
def only_user(folder: Path) -> Iterator[None]:
    """Holds a folder for this process until the block ends, or the process does, however it ends.

    Raises:
        InputError: another process holds it.
    """
    with (folder / _NAME).open("a") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise InputError(
                    f"{folder}: another process is writing here; wait for its end or give "
                    "another folder"
                ) from error
            except OSError:  # a file system without locks
                pass
        yield
