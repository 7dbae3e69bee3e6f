"""Seals: a list of sizes and checksums in a folder that proves it complete and undamaged."""

import json
import zlib
from pathlib import Path

_NAME = "contents.json"


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
