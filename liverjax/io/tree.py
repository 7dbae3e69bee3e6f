"""A tree of files, whatever holds them, and how to find something in it."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from liverjax.errors import InputError

DICOM_HEAD = 132
"""Bytes after which a DICOM file has said that it is one."""

# What operating systems strew about; the last is a folder's icon on a Mac.
_JUNK = {"__macosx", "thumbs.db", "desktop.ini", "icon\r"}


@dataclasses.dataclass(frozen=True)
class File:
    """A file, wherever it lies.

    Attributes:
        path: from the input's own name on, as a user finds it; a part that ends in ".zip" is an
            archive.
        size: in bytes.
        read: its content; raises InputError where it is damaged.
        head: its first bytes, at most so many, likewise; for files that may be too large to read.
        crc32: checksum of its content; known for a file in an archive, computed for another.
    """

    path: PurePosixPath
    size: int
    read: Callable[[], bytes]
    head: Callable[[int], bytes]
    crc32: Callable[[], int]


@dataclasses.dataclass(frozen=True)
class Folder:
    """A folder or an archive; `path` as of `File`.

    `open` lists it, anew at every call, and raises InputError where it is damaged. The listing is
    in the order of names and leaves out hidden files and what operating systems strew about.
    """

    path: PurePosixPath
    open: "Callable[[], Listing]"

    @property
    def name(self) -> str:
        """Name without the suffix that an archive has."""
        return self.path.stem if self.is_archive else self.path.name

    @property
    def is_archive(self) -> bool:
        """True for a zip archive."""
        return is_archive(self.path.name)


class Listing(NamedTuple):
    """What lies directly in a folder."""

    folders: list[Folder]
    files: list[File]


def walk(folder: Folder) -> Iterator[File]:
    """All files in and below `folder`."""
    folders, files = folder.open()
    yield from files
    for below in folders:
        yield from walk(below)


def find(folder: Folder, path: PurePosixPath) -> Folder:
    """The folder at `path`, which is `folder` itself or lies below it.

    Raises:
        InputError: there is none (any more).
    """
    if folder.path == path:
        return folder
    for below in folder.open().folders:
        if path.is_relative_to(below.path):
            return find(below, path)
    raise InputError(f"{path}: no such folder")


def only_one(candidates: Sequence[Folder], advice: str) -> Folder:
    """The one folder among copies of it, such as an archive and what was extracted from it.

    Raises:
        InputError: their contents differ; names two of them and gives the advice.
    """
    first, *others = candidates
    if others:
        content = _content(first)
        for other in others:
            if _content(other) != content:
                raise InputError(f"{first.path} and {other.path} hold different files; {advice}")
    return first


def _content(folder: Folder) -> list[tuple[str, int, int]]:
    """Name, size and checksum of every file, whether folders in `folder` are packed or not."""
    folders, files = folder.open()
    own = [(file.path.name, file.size, file.crc32()) for file in files]
    # A folder that was packed with its own name around its content is the same folder.
    if not own and [below.name for below in folders] == [folder.name]:
        return _content(folders[0])
    return own + [
        (f"{below.name}/{name}", size, crc)
        for below in sorted(folders, key=lambda below: below.name)
        for name, size, crc in _content(below)
    ]


def is_dicom(data: bytes) -> bool:
    """True for what a DICOM file begins with; needs its first `DICOM_HEAD` bytes."""
    return data[128:DICOM_HEAD] == b"DICM"


def is_archive(name: str) -> bool:
    """True for the name of a zip archive."""
    return name.lower().endswith(".zip")


def is_junk(name: str) -> bool:
    """True for a hidden file or folder, and for what operating systems strew about."""
    return name.startswith(".") or name.lower() in _JUNK
