"""Failures of libraries that tell more, and for longer, than a user can read."""

import contextlib
import logging
import os
import re
import threading
import warnings
from collections.abc import Iterator
from typing import Any


class _Silence:
    """What is said otherwise, while something is silent; several may be so at once, or nested."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._usual: tuple[int, Any] = (0, None)

    def __enter__(self) -> None:
        with self._lock:
            self._count += 1
            if self._count == 1:
                self._usual = logging.root.manager.disable, threading.excepthook
                logging.disable(logging.CRITICAL)
                threading.excepthook = lambda arguments: None

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._count -= 1
            if not self._count:
                logging.disable(self._usual[0])
                threading.excepthook = self._usual[1]


_SILENCE = _Silence()


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Hides what libraries log and warn of while they fail; the error that follows says enough."""
    with _SILENCE, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def outlasting_threads() -> Iterator[None]:
    """Where the block fails, waits for the threads that it leaves behind to fail as well."""
    before = set(threading.enumerate())
    try:
        yield
    except Exception:
        for thread in set(threading.enumerate()) - before:
            with contextlib.suppress(Exception):  # those of Orbax raise theirs once more
                thread.join(timeout=1)  # those of a pool never end
        raise


def cause(error: BaseException) -> str:
    """The operating system's own words where they can be found, else the error's first line."""
    root: BaseException | None = error
    while root is not None and not (isinstance(root, OSError) and root.strerror):
        root = root.__cause__ or root.__context__
    if isinstance(root, OSError):
        return str(root.strerror)
    code = re.search(r"os_error_code='(\d+)'", str(error))
    if code:
        return os.strerror(int(code[1]))
    return next(iter(str(error).splitlines()), type(error).__name__)[:200]
