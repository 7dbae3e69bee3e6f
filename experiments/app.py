"""Runs a command's main so that an error a user can mend is one line, not a traceback."""

import sys
from collections.abc import Callable, Sequence

from absl import app

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

    app.run(guarded)
