"""Requests to stop: a run that is asked to end saves what it has first."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Gives a function that says whether SIGTERM or Ctrl-C has come since.

    The second of either kind acts as it would without this. Outside of the main thread, where
    Python lets nobody handle signals, none is ever seen.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    # What the process was started to ignore, as under nohup, it goes on ignoring.
    earlier = {n: handler for n, handler in handlers.items() if handler is not signal.SIG_IGN}

    def note(number: int, frame: FrameType | None) -> None:
        """Remembers the request, and steps aside for the next one."""
        del number, frame
        asked.set()
        restore()

    def restore() -> None:
        """Puts back what was there before."""
        for number, handler in earlier.items():
            signal.signal(number, handler)

    for number in earlier:
        signal.signal(number, note)
    try:
        yield asked.is_set
    finally:
        restore()
