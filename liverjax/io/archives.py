"""A read-only view of files in which zip archives, nested ones too, are folders.

Nothing is unpacked to disk. An archive is opened when its folder is listed, and one that lies in
another archive is then held in memory for as long as something from its listing is.
"""

import contextlib
import os
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from liverjax.errors import InputError
from liverjax.io.archive_limits import Budget, check_path
from liverjax.io.tree import File, Folder, Listing, is_archive, is_junk
from liverjax.io.zip_tree import list_archive

_CHUNK = 1 << 20

# What tells a folder from any other: device and number.
_Identity = tuple[int, int]


class _Tree(NamedTuple):
    """What lasts as long as a tree: files that are closed with it, and what its archives cost."""

    stack: contextlib.ExitStack
    budget: Budget


@contextlib.contextmanager
def open_tree(path: Path) -> Iterator[Folder]:
    """Opens a folder or a zip archive; what comes from it can be read inside the context only.

    Links are followed, but those that lead back to a folder that they lie in are passed over, as
    are devices, pipes and sockets.

    Raises:
        InputError: there is nothing at `path`, or a file of another kind.
    """
    name = PurePosixPath(path.absolute().name)
    with contextlib.ExitStack() as stack:
        tree = _Tree(stack, Budget())
        if path.is_dir():
            yield Folder(name, partial(_list_disk, path, name, (), tree))
        elif not path.exists():
            raise InputError(f"{path}: no such file or folder")
        # A pipe would keep whoever reads it waiting.
        elif path.is_file() and zipfile.is_zipfile(path):
            yield Folder(name, partial(_list_disk_archive, path, name, tree))
        else:
            raise InputError(f"{path}: expected a folder or a complete zip archive, found neither")


def _list_disk(
    folder: Path, path: PurePosixPath, above: tuple[_Identity, ...], tree: _Tree
) -> Listing:
    """Lists a folder on disk that lies in those `above`."""
    check_path(path)
    listing = Listing([], [])
    with _refusing(path, "listed"):
        own = _identity(folder)
        with os.scandir(folder) as entries:  # a folder may hold tens of thousands of slices
            items = sorted((item for item in entries if not is_junk(item.name)), key=_name)
    for item in items:
        there, below = folder / item.name, path / item.name
        with _refusing(below, "read"):
            if item.is_dir():
                within = (*above, own)
                if not item.is_symlink() or _identity(there) not in within:
                    opener = partial(_list_disk, there, below, within, tree)
                    listing.folders.append(Folder(below, opener))
            elif item.is_file() and is_archive(item.name):
                opener = partial(_list_disk_archive, there, below, tree)
                listing.folders.append(Folder(below, opener))
            elif item.is_file():
                listing.files.append(_file(there, below, item.stat().st_size))
            elif item.is_symlink() and not there.exists():
                raise InputError(f"{below}: expected a file, found a link to nothing; restore it")
    return listing


def _identity(folder: Path) -> _Identity:
    found = folder.stat()
    return found.st_dev, found.st_ino


def _name(item: os.DirEntry[str]) -> str:
    return item.name


def _file(file: Path, path: PurePosixPath, size: int) -> File:
    return File(
        path,
        size,
        partial(_read, file, path),
        partial(_head, file, path),
        partial(_crc32, file, path),
    )


def _read(file: Path, path: PurePosixPath) -> bytes:
    with _refusing(path, "read"):
        return file.read_bytes()


def _head(file: Path, path: PurePosixPath, size: int) -> bytes:
    with _refusing(path, "read"), file.open("rb") as opened:
        return opened.read(size)


def _crc32(file: Path, path: PurePosixPath) -> int:
    """CRC-32 of a file on disk, as a zip archive would hold it."""
    with _refusing(path, "read"), file.open("rb") as opened:
        crc = 0
        while chunk := opened.read(_CHUNK):
            crc = zlib.crc32(chunk, crc)
        return crc


def _list_disk_archive(file: Path, path: PurePosixPath, tree: _Tree) -> Listing:
    with _refusing(path, "read"):
        opened: IO[bytes] = tree.stack.enter_context(file.open("rb"))
    return list_archive(opened, path, tree.budget)


@contextlib.contextmanager
def _refusing(path: PurePosixPath, verb: str) -> Iterator[None]:
    """What the operating system refuses becomes an InputError that names the file."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be {verb}: {error.strerror}") from error
