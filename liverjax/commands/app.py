"""Runs a command's main so that an error a user can mend is one line, not a traceback."""

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from absl import app, flags
from absl import logging as absl_logging

from liverjax.config import ExperimentConfig
from liverjax.errors import ConfigError, LiverjaxError, StoppedError
from liverjax.process import ask_for_equal_bits, keep_freed_memory
from liverjax.protocol import CrossValidationConfig

T = TypeVar("T")


def path(flag: flags.FlagHolder[str | None]) -> Path:
    """The path in a flag that has a value, with `~` spelt out."""
    return Path(flag.value or "").expanduser()


def optional_path(flag: flags.FlagHolder[str | None]) -> Path | None:
    """The path in a flag, with `~` spelt out; None where it has no value."""
    return path(flag) if flag.value else None


def config(flag: flags.FlagHolder[Any], kind: type[T]) -> T:
    """The configuration that a flag of `config_flags` has read, of the kind that a command needs.

    Raises:
        ConfigError: there is no such file, or it holds another kind.
    """
    value = flag.value
    if isinstance(value, kind):
        return value
    if isinstance(value, ExperimentConfig | CrossValidationConfig):
        uses = {
            ExperimentConfig: "one network, as experiments.train takes it",
            CrossValidationConfig: "both networks, as experiments.train_cascade and "
            "experiments.cross_validate take it",
        }
        raise ConfigError(
            f"--{flag.name}: expected a configuration of {uses[kind]}; found one of "
            f"{uses[type(value)]}"
        )
    try:
        _ = value.stage  # what could not be read says why as soon as it is asked for anything
    except OSError as error:
        raise ConfigError(f"--{flag.name}: {error.__cause__ or error}") from error
    except AttributeError:
        pass
    raise ConfigError(f"--{flag.name}: expected a file whose get_config() gives {kind.__name__}")


def check_networks(
    liver: flags.FlagHolder[str | None],
    tumor: flags.FlagHolder[str | None],
    weights: flags.FlagHolder[str | None],
) -> None:
    """Refuses flags that do not name two networks: both workdirs, or neither; see `open_networks`.

    Raises:
        ConfigError: names the flag.
    """
    for flag, other in ((liver, tumor), (tumor, liver)):
        if other.value and not flag.value:
            raise ConfigError(
                f"--{flag.name}: expected a folder as well as for --{other.name}; give both, or "
                "neither for the weights that come with liverjax"
            )
    if weights.value and liver.value:
        raise ConfigError(f"--{weights.name}: expected nothing beside --{liver.name}")


def run(main: Callable[[], None], own: flags.FlagValues | None = None, doc: str = "") -> None:
    """Parses the flags and calls `main`; a LiverjaxError ends the program with exit code 1.

    Args:
        main: the command.
        own: its flags, where it did not define them among absl's: commands that are modules of
            this package may be imported together, and then flags of one name would clash.
        doc: what `--help` says where the main module has no docstring, as a console script.
    """

    def guarded(argv: Sequence[str]) -> None:
        """Calls `main` and ends the program as its error asks for."""
        if len(argv) > 1:
            raise app.UsageError(f"expected flags only, found {' '.join(argv[1:])}")
        try:
            main()
        except StoppedError as error:
            # 128 + SIGTERM: not finished, so that a scheduler starts the command again.
            print(error, file=sys.stderr)
            sys.exit(143)
        except KeyboardInterrupt:
            _end_at_once()
        except (LiverjaxError, OSError) as error:
            _fail(error)

    ask_for_equal_bits()
    keep_freed_memory()
    show_progress()
    if own is not None:
        _adopt(own)
    main_module = sys.modules["__main__"]
    main_module.__doc__ = main_module.__doc__ or doc
    app.run(guarded, flags_parser=_parse)


def _end_at_once() -> NoReturn:
    """Ends an interrupted program with 128 + SIGINT.

    Not by an exception: while the interpreter is taken down, threads of XLA that are still at work
    crash it.
    """
    for stream, text in ((sys.stdout, ""), (sys.stderr, "interrupted\n")):
        with contextlib.suppress(OSError, ValueError):  # whoever read it may be gone
            stream.write(text)
            stream.flush()
    os._exit(130)


def _adopt(own: flags.FlagValues) -> None:
    """Adds a command's flags to absl's, as those that `--help` lists."""
    flags.FLAGS.append_flag_values(own)
    for name in own:
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], own[name])
    # They are read through `own`, once absl has parsed them.
    own.mark_as_parsed()


def _parse(argv: Sequence[str]) -> list[str]:
    """Parses the flags; a configuration's unknown field or wrong type is one line as well."""
    try:
        return app.parse_flags_with_usage(list(argv))
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        _fail(error)


def _fail(error: Exception) -> NoReturn:
    # A KeyError shows its text in quotes, with line ends escaped.
    text = error.args[0] if isinstance(error, KeyError) and error.args else error
    print(f"error: {text}", file=sys.stderr)
    sys.exit(1)


def show_progress() -> None:
    """Shows this package's progress alone: TFDS and Orbax log every file that they touch."""
    absl_logging.set_verbosity(absl_logging.WARNING)
    # Of a damaged checkpoint one error says enough; Orbax leaves its other reads unfinished, and
    # asyncio tells of each when the program ends.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", message="coroutine .* was never awaited")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("liverjax")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    logger.propagate = False
