"""What libraries say while they fail."""

import logging
import threading
import warnings

from liverjax.io.failures import silence


def test_silence_ends_with_the_last_that_is_silent():
    before = logging.root.manager.disable, threading.excepthook
    first, second = silence(), silence()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert logging.root.manager.disable == logging.CRITICAL
    second.__exit__(None, None, None)
    assert (logging.root.manager.disable, threading.excepthook) == before


def test_warnings_are_hidden_in_it_alone(recwarn):
    with silence():
        warnings.warn("hidden", stacklevel=1)
    assert list(recwarn) == []
