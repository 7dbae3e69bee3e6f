"""Seals: a list of sizes and checksums in a folder that proves it complete and undamaged."""

import json
import logging
import shutil
import zlib
from pathlib import Path

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


def is_sealed(folder: Path) -> bool:
    """Whether whoever wrote the folder came to the end."""
    return (folder / _NAME).exists()


def damage(folder: Path) -> str | None:
    """What is wrong with the files of a sealed folder, in words; None where they are whole."""
    try:
        contents = json.loads((folder / _NAME).read_text())
        listed = [(folder / name, size, checksum) for name, (size, checksum) in contents.items()]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        return f"{_NAME} is damaged ({type(error).__name__})"
    for file, size, checksum in listed:
        name = file.relative_to(folder)
        if not file.is_file():
            return f"{name} is missing"
        found = file.read_bytes()
        if len(found) != size or zlib.crc32(found) != checksum:
            return f"{name} is damaged ({len(found)} of {size} bytes)"
    return None


def drop_incomplete(folder: Path) -> None:
    """Puts those of its checkpoints out of the way that are not sealed and whole, and says so.

    What was still being written under a temporary name is deleted; what bears a step's number
    and is not sealed or not whole is moved to `damaged/` beside the others. Anything else is
    left alone.
    """
    for path in sorted(folder.iterdir()):
        if path.name.endswith(_TEMPORARY):
            _LOGGER.warning("%s: its writing was cut off; removed", path)
            shutil.rmtree(path)
        if not path.name.isdecimal():
            continue
        found = damage(path) if is_sealed(path) else "its writing, or its removal, was cut off"
        if found:
            aside = make_folder(folder / _DAMAGED) / path.name
            shutil.rmtree(aside, ignore_errors=True)
            path.rename(aside)
            _LOGGER.warning("%s: %s; moved to %s", path, found, aside)
