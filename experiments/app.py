"""Runs a command's main so that an error a user can mend is one line, not a traceback."""

import logging
import sys
from collections.abc import Callable, Sequence

from absl import app
from absl import logging as absl_logging

from liverjax.errors import LiverjaxError


def run(main: Callable[[], None]) -> None:
    """Parses the flags and calls `main`; a LiverjaxError ends the program with exit code 1."""

    def guarded(argv: Sequence[str]) -> None:
        if len(argv) > 1:
            raise app.UsageError(f"expected flags only, found {' '.join(argv[1:])}")
        try:
            main()
        except LiverjaxError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(1)

    _tell_what_liverjax_does()
    app.run(guarded)


def _tell_what_liverjax_does() -> None:
    """Shows this package's progress alone: TFDS and Orbax log every file that they touch."""
    absl_logging.set_verbosity(absl_logging.WARNING)
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("liverjax")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    logger.propagate = False
