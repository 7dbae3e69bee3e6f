"""Files that appear whole or not at all."""

import contextlib
import json
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from liverjax.errors import InputError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a temporary name beside `path` to write to; the file moves to `path` on success.

    The name lies in the same folder, so that the move is one atomic rename, and ends like
    `path`, for libraries that choose a format by the suffix. Where the block raises, what it
    wrote is deleted and an earlier `path` stays as it was. The folder must exist.
    """
    temporary = path.with_name(f".{secrets.token_hex(4)}-{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """An empty folder for files that are to be moved on together, gone when the block ends.

    What a run that was killed left in it goes first. Its name should begin with a dot, for readers
    to pass over it. The folder above it must be writable, and is made where it is absent.

    Raises:
        InputError: it cannot be made.
    """
    shutil.rmtree(folder, ignore_errors=True)
    make_folder(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_folder(path: Path) -> Path:
    """Makes a folder, and those above it, where it is not there yet; gives it back.

    Raises:
        InputError: something else lies there, or it may not be written to.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be made a folder ({error.strerror}); give another"
        ) from error
    return path


def write_text(path: Path, text: str) -> None:
    """Writes `text` as UTF-8 with its line ends as they are, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_json(path: Path, data: Any) -> None:
    """Writes `data` as indented JSON, whole or not at all.

    Raises:
        TypeError, ValueError: `data` holds what JSON has no form for; NaN and infinity are
            among it, because other readers refuse them.
    """
    write_text(path, json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
