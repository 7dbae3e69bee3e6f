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
from typing import NamedTuple

from liverjax.errors import InputError
from liverjax.io.archive_limits import Budget, check_path
from liverjax.io.tree import (
    DICOM_HEAD,
    File,
    Folder,
    Listing,
    is_archive,
    is_dicom,
    is_junk,
)
from liverjax.io.zip_tree import list_archive

_CHUNK = 1 << 20


class _Tree(NamedTuple):
    """What lasts as long as a tree: where it begins, and what the archives in archives cost."""

    root: Path
    budget: Budget


@contextlib.contextmanager
def open_tree(path: Path) -> Iterator[Folder]:
    """Opens a folder, a zip archive, or a single DICOM file as a folder that holds it.

    A link to a folder is followed where it leads out of the tree, and once: one that leads to a
    folder of the tree, which is found by itself, and one in a folder that was linked are passed
    over, as are devices, pipes and sockets.

    Raises:
        InputError: there is nothing at `path`, or a file of another kind.
    """
    name = PurePosixPath(path.absolute().name)
    with _refusing(PurePosixPath(path), "read"):
        is_folder, exists = path.is_dir(), path.exists()
        # A pipe would keep whoever reads it waiting.
        is_file = path.is_file()
        is_zip = is_file and zipfile.is_zipfile(path)
    tree = _Tree(path.resolve(), Budget())
    if is_folder:
        yield Folder(name, partial(_list_disk, path, name, False, tree))
    elif not exists:
        raise InputError(f"{path}: no such file or folder")
    elif is_zip:
        yield Folder(name, partial(_list_disk_archive, path, name, tree))
    elif is_file and is_dicom_file(path):
        file = _file(path, name, path.stat().st_size)
        yield Folder(name, partial(Listing, [], [file]))
    else:
        raise InputError(
            f"{path}: expected a folder, a complete zip archive or a DICOM file, found none of them"
        )


def is_dicom_file(path: Path) -> bool:
    """Whether the file at `path` says that it is a DICOM file."""
    return is_dicom(_head(path, PurePosixPath(path), DICOM_HEAD))


def _list_disk(folder: Path, path: PurePosixPath, linked: bool, tree: _Tree) -> Listing:
    """Lists a folder on disk; `linked` where a link leads to it or to one that it lies in."""
    check_path(path)
    listing = Listing([], [])
    # Scanned, as a folder may hold tens of thousands of slices.
    with _refusing(path, "listed"), os.scandir(folder) as entries:
        items = sorted((item for item in entries if not is_junk(item.name)), key=_name)
    for item in items:
        there, below = folder / item.name, path / item.name
        with _refusing(below, "read"):
            if item.is_dir():
                is_link = item.is_symlink()
                if not is_link or not (linked or _leads_back(there, tree.root)):
                    opener = partial(_list_disk, there, below, linked or is_link, tree)
                    listing.folders.append(Folder(below, opener))
            elif item.is_file() and is_archive(item.name):
                opener = partial(_list_disk_archive, there, below, tree)
                listing.folders.append(Folder(below, opener))
            elif item.is_file():
                listing.files.append(_file(there, below, item.stat().st_size))
            elif item.is_symlink() and not there.exists():
                raise InputError(f"{below}: expected a file, found a link to nothing; restore it")
    return listing


def _leads_back(link: Path, root: Path) -> bool:
    """Whether a link leads into the tree that it lies in, or to one that holds that."""
    target = link.resolve()
    return target.is_relative_to(root) or root.is_relative_to(target)


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
        opened = file.open("rb")
    return list_archive(opened, path, tree.budget)


@contextlib.contextmanager
def _refusing(path: PurePosixPath, verb: str) -> Iterator[None]:
    """What the operating system refuses becomes an InputError that names the file."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be {verb}: {error.strerror}") from error
