"""A read-only view of files in which zip archives, nested ones too, are folders.

Nothing is unpacked to disk. An archive is opened when its folder is listed, and one that lies in
another archive is then held in memory for as long as something from its listing is.
"""

import contextlib
import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from liverjax.errors import InputError
from liverjax.io.tree import File, Folder, Listing, is_archive

MAX_FILE_BYTES = 4 << 30
MAX_ARCHIVES = 4
_MAX_FOLDERS = 32
_CHUNK = 1 << 20
_ENCRYPTED = 0x1  # bit 0 of the general purpose flags, APPNOTE.TXT 4.4.4
_JUNK = {"__macosx", "thumbs.db", "desktop.ini"}

# Names of a folder in an archive; a folder below it is a mapping, too.
_Members = dict[str, "zipfile.ZipInfo | _Members"]


@contextlib.contextmanager
def open_tree(path: Path) -> Iterator[Folder]:
    """Opens a folder or a zip archive; what comes from it can be read inside the context only.

    Raises:
        InputError: there is nothing at `path`, or a file of another kind.
    """
    name = PurePosixPath(path.absolute().name)
    with contextlib.ExitStack() as stack:
        if path.is_dir():
            yield Folder(name, partial(_list_disk, path, name, stack))
        elif not path.exists():
            raise InputError(f"{path}: no such file or folder")
        elif zipfile.is_zipfile(path):
            yield Folder(name, partial(_list_disk_archive, path, name, stack))
        else:
            raise InputError(f"{path}: expected a folder or a complete zip archive, found neither")


def _is_junk(name: str) -> bool:
    return name.startswith(".") or name.lower() in _JUNK


def _check_path(path: PurePosixPath) -> None:
    """Refuses nesting that no data set has: an archive made to do harm, or a circle of links."""
    archives = sum(is_archive(part) for part in path.parts)
    if archives > MAX_ARCHIVES:
        raise InputError(f"{path}: expected at most {MAX_ARCHIVES} archives in one another")
    if len(path.parts) > _MAX_FOLDERS:
        raise InputError(f"{path}: expected at most {_MAX_FOLDERS} folders in one another")


def _list_disk(folder: Path, path: PurePosixPath, stack: contextlib.ExitStack) -> Listing:
    """Lists a folder on disk; `stack` closes the archives that are opened in it."""
    _check_path(path)
    listing = Listing([], [])
    try:
        with os.scandir(folder) as entries:  # a folder may hold tens of thousands of slices
            items = sorted((item for item in entries if not _is_junk(item.name)), key=_name)
        for item in items:
            there, below = folder / item.name, path / item.name
            if item.is_dir():
                listing.folders.append(Folder(below, partial(_list_disk, there, below, stack)))
            elif item.is_file() and is_archive(item.name):
                listing.folders.append(
                    Folder(below, partial(_list_disk_archive, there, below, stack))
                )
            elif item.is_file():
                listing.files.append(
                    File(
                        below,
                        item.stat().st_size,
                        partial(_read_disk, there, below),
                        partial(_head_disk, there, below),
                        partial(_crc32_disk, there, below),
                    )
                )
    except OSError as error:
        raise InputError(f"{path}: cannot be listed: {error.strerror}") from error
    return listing


def _name(item: os.DirEntry[str]) -> str:
    return item.name


def _read_disk(file: Path, path: PurePosixPath) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def _head_disk(file: Path, path: PurePosixPath, count: int) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(count)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def _crc32_disk(file: Path, path: PurePosixPath) -> int:
    """CRC-32 of a file on disk, as a zip archive would hold it."""
    try:
        with file.open("rb") as opened:
            crc = 0
            while chunk := opened.read(_CHUNK):
                crc = zlib.crc32(chunk, crc)
            return crc
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def _list_disk_archive(file: Path, path: PurePosixPath, stack: contextlib.ExitStack) -> Listing:
    try:
        opened = stack.enter_context(file.open("rb"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    return _list_archive(opened, path)


def _list_nested_archive(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: PurePosixPath
) -> Listing:
    return _list_archive(io.BytesIO(_read_member(archive, info, path)), path)


def _list_archive(opened: IO[bytes], path: PurePosixPath) -> Listing:
    """Lists the top of an archive.

    Raises:
        InputError: it is damaged, or holds a name twice or one that points outside of it.
    """
    _check_path(path)
    try:
        archive = zipfile.ZipFile(opened)
    except (zipfile.BadZipFile, OSError, ValueError, struct.error) as error:
        raise InputError(f"{path}: not a complete zip archive ({error}); fetch it again") from error
    tree: _Members = {}
    for info in archive.infolist():
        # Some Windows programs write the backslash.
        name = info.filename.replace("\\", "/")
        *parents, last = name.rstrip("/").split("/")
        if name.startswith("/") or ".." in parents or last in ("", ".", ".."):
            raise InputError(f"{path}: expected names inside the archive, found {name!r}")
        if any(_is_junk(part) for part in (*parents, last)):
            continue
        level = tree
        for parent in parents:
            below = level.setdefault(parent, {})
            if isinstance(below, zipfile.ZipInfo):
                raise InputError(f"{path}: {parent} is a file and a folder in {name!r}")
            level = below
        if name.endswith("/"):
            level.setdefault(last, {})
        elif level.setdefault(last, info) is not info:
            raise InputError(f"{path}: holds {name!r} twice")
    return _list_members(archive, tree, path)


def _list_members(archive: zipfile.ZipFile, tree: _Members, path: PurePosixPath) -> Listing:
    """Lists a folder inside an archive."""
    _check_path(path)
    listing = Listing([], [])
    for name, member in sorted(tree.items()):
        below = path / name
        if not isinstance(member, zipfile.ZipInfo):
            listing.folders.append(Folder(below, partial(_list_members, archive, member, below)))
        elif is_archive(name):
            listing.folders.append(
                Folder(below, partial(_list_nested_archive, archive, member, below))
            )
        else:
            read, head = (
                partial(_read_member, archive, member, below),
                partial(_head_member, archive, member, below),
            )
            listing.files.append(File(below, member.file_size, read, head, partial(_crc32, member)))
    return listing


def _crc32(info: zipfile.ZipInfo) -> int:
    return info.CRC


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: PurePosixPath) -> bytes:
    """Content of a file in an archive, checked against its checksum."""
    if info.file_size > MAX_FILE_BYTES:
        raise InputError(
            f"{path}: expected at most {MAX_FILE_BYTES} bytes, found {info.file_size} declared"
        )
    with _refusing_damage(info, path):
        # zipfile yields no more than the declared size, whatever the member would inflate to.
        return archive.read(info)


def _head_member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: PurePosixPath, count: int
) -> bytes:
    with _refusing_damage(info, path), archive.open(info) as opened:
        return opened.read(count)


@contextlib.contextmanager
def _refusing_damage(info: zipfile.ZipInfo, path: PurePosixPath) -> Iterator[None]:
    if info.flag_bits & _ENCRYPTED:
        raise InputError(f"{path}: encrypted; extract it with its password first")
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        NotImplementedError,
        struct.error,
    ) as error:
        reason = str(error) or "it ends early"
        raise InputError(f"{path}: damaged in its archive ({reason}); fetch it again") from error
