"""Seals: a list of sizes and checksums in a folder that proves it complete and undamaged."""

import hashlib
import json
import logging
import shutil
import zlib
from pathlib import Path

from liverjax.errors import InputError
from liverjax.io.atomic import make_folder

_LOGGER = logging.getLogger(__name__)

_NAME = "contents.json"
_DAMAGED = "damaged"
_TEMPORARY = ".orbax-checkpoint-tmp"  # Orbax renames what it has written


def seal(folder: Path) -> None:
    """Notes size and checksum of every file of a folder that is complete."""
    contents = {
        str(file.relative_to(folder)): [file.stat().st_size, zlib.crc32(file.read_bytes())]
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != _NAME
    }
    temporary = folder / f".{_NAME}"
    temporary.write_text(json.dumps(contents))
    temporary.replace(folder / _NAME)


def fingerprint(folder: Path) -> str:
    """SHA-256 in hex of what a sealed folder holds."""
    return hashlib.sha256((folder / _NAME).read_bytes()).hexdigest()


def is_sealed(folder: Path) -> bool:
    """Whether whoever wrote the folder came to the end."""
    return (folder / _NAME).exists()


def damage(folder: Path) -> str | None:
    """What is wrong with the files of a sealed folder, in words; None where they are whole."""
    try:
        contents = json.loads((folder / _NAME).read_text())
        listed = [(folder / name, size, checksum) for name, (size, checksum) in contents.items()]
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        return f"{_NAME} is damaged ({type(error).__name__})"
    for file, size, checksum in listed:
        if not file.is_relative_to(folder) or ".." in file.parts:
            return f"{_NAME} is damaged (it names {file}, which lies elsewhere)"
        name = file.relative_to(folder)
        if not file.is_file():
            return f"{name} is missing"
        found = file.read_bytes()
        if len(found) != size or zlib.crc32(found) != checksum:
            return f"{name} is damaged ({len(found)} of {size} bytes)"
    return None


def drop_incomplete(folder: Path) -> None:
    """Deletes those of its checkpoints that bear no seal, and says so; leaves anything else alone.

    Their writing was cut off, so the run computes them again, or their removal was: neither is
    worth the room that they take, least of all on a disk that is full.

    Raises:
        InputError: one cannot be deleted.
    """
    for path in sorted(folder.iterdir()):
        # Orbax removes a checkpoint under its own name and writes one under a temporary name.
        unsealed = path.name.isdecimal() and path.is_dir() and not is_sealed(path)
        if not unsealed and not path.name.endswith(_TEMPORARY):
            continue
        try:
            shutil.rmtree(path)
        except OSError as error:
            raise InputError(
                f"{path}: incomplete, and cannot be deleted ({error.strerror}); delete it"
            ) from error
        _LOGGER.warning("%s: its writing, or its removal, was cut off; deleted", path)


def set_damaged_aside(folder: Path) -> None:
    """Moves sealed checkpoints that are not whole to `damaged/` beside the others, and says so.

    What was complete once is the user's to judge: it may be all that is left of a run.

    Raises:
        InputError: one cannot be moved.
    """
    for path in sorted(folder.iterdir()):
        found = damage(path) if path.name.isdecimal() and is_sealed(path) else None
        if not found:
            continue
        aside = make_folder(folder / _DAMAGED) / path.name
        try:
            shutil.rmtree(aside, ignore_errors=True)
            path.rename(aside)
        except OSError as error:
            raise InputError(
                f"{path}: {found}, and cannot be moved to {aside} ({error.strerror}); move it"
            ) from error
        _LOGGER.warning("%s: %s; moved to %s", path, found, aside)
