"""A zip archive as a folder; one that lies in another is held in memory while it is in use."""

import contextlib
import copy
import io
import struct
import weakref
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath
from typing import IO, Any

from liverjax.errors import InputError
from liverjax.io import archive_limits
from liverjax.io.archive_limits import (
    Budget,
    DirectoryFile,
    check_entries,
    check_nested,
    check_path,
    entry_parts,
)
from liverjax.io.tree import File, Folder, Listing, is_archive

_MORE = 1 << 16
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}

# Names of a folder in an archive; a folder below it is a mapping, too.
_Members = dict[str, "zipfile.ZipInfo | _Members"]


def list_archive(
    opened: IO[bytes], path: PurePosixPath, budget: Budget, held_bytes: int = 0
) -> Listing:
    """Lists the top of an archive.

    Args:
        opened: its file, which is read as long as anything from the listing is.
        path: to call it by.
        budget: of the archives in it.
        held_bytes: its size where it lies in another archive, and so counts in the budget itself.

    Raises:
        InputError: it is damaged, or was made to do harm, see `archive_limits`.
    """
    check_path(path)
    guard: Any = DirectoryFile(opened, path)
    try:
        archive = zipfile.ZipFile(guard)
    except InputError:
        opened.close()
        raise
    except Exception as error:  # zipfile has no common class of what damaged archives raise
        opened.close()
        raise InputError(f"{path}: not a complete zip archive ({error}); fetch it again") from error
    archive.fp = opened
    # With the last of what was listed: a folder may hold thousands of archives.
    weakref.finalize(archive, opened.close)
    infos = archive.infolist()
    if held_bytes:
        budget.spend(path, held_bytes, len(infos))
    check_entries(infos, archive.start_dir, path)
    tree: _Members = {}
    for info in infos:
        parts = entry_parts(info, path)
        if not parts:
            continue
        *parents, last = parts
        level = tree
        for parent in parents:
            below = level.setdefault(parent, {})
            if isinstance(below, zipfile.ZipInfo):
                raise _twice(path, info, f"{parent!r} to be a folder, found a file of that name")
            level = below
        is_folder = info.orig_filename.endswith(("/", "\\"))
        there = level.setdefault(last, {} if is_folder else info)
        if there is not info and not (is_folder and isinstance(there, dict)):
            raise _twice(path, info, "a name once, found it twice")
    return _list_members(archive, tree, path, budget)


def _twice(path: PurePosixPath, info: zipfile.ZipInfo, problem: str) -> InputError:
    return InputError(f"{path}: entry {info.orig_filename[:200]!r}: expected {problem}")


def _list_members(
    archive: zipfile.ZipFile, tree: _Members, path: PurePosixPath, budget: Budget
) -> Listing:
    """Lists a folder inside an archive."""
    check_path(path)
    listing = Listing([], [])
    for name, member in sorted(tree.items()):
        below = path / name
        if not isinstance(member, zipfile.ZipInfo):
            opener = partial(_list_members, archive, member, below, budget)
            listing.folders.append(Folder(below, opener))
        elif is_archive(name):
            opener = partial(_list_nested, archive, member, below, budget)
            listing.folders.append(Folder(below, opener))
        else:
            listing.files.append(
                File(
                    below,
                    member.file_size,
                    partial(_read, archive, member, below),
                    partial(_head, archive, member, below),
                    partial(_crc32, member),
                )
            )
    return listing


def _list_nested(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: PurePosixPath, budget: Budget
) -> Listing:
    check_path(path)
    check_nested(info, path)
    data = _read(archive, info, path)
    return list_archive(io.BytesIO(data), path, budget, len(data))


def _crc32(info: zipfile.ZipInfo) -> int:
    return info.CRC


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: PurePosixPath) -> bytes:
    """Content of a file in an archive, checked against its checksum and its declared size."""
    if info.file_size > archive_limits.MAX_FILE_BYTES:
        raise InputError(
            f"{path}: expected at most {archive_limits.MAX_FILE_BYTES} bytes, found "
            f"{info.file_size} declared"
        )
    # zipfile cuts off in silence what is more than declared, so it is told of more than it inflates
    # at once, and asked for one byte too many.
    longer = copy.copy(info)
    longer.file_size += _MORE
    with _opened(archive, longer, path) as opened:
        data = opened.read(info.file_size + 1)
    if len(data) != info.file_size:
        found = "more" if len(data) > info.file_size else str(len(data))
        raise InputError(
            f"{path}: damaged in its archive: expected {info.file_size} bytes as declared, found "
            f"{found}"
        )
    return data


def _head(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: PurePosixPath, size: int) -> bytes:
    with _opened(archive, info, path) as opened:
        return opened.read(size)


@contextlib.contextmanager
def _opened(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: PurePosixPath
) -> Iterator[IO[bytes]]:
    # The others inflate without a limit in zipfile, and thousandfold.
    if info.compress_type not in _METHODS:
        raise InputError(
            f"{path}: expected it stored or deflated in its archive, found compression method "
            f"{info.compress_type}; extract it first"
        )
    try:
        with archive.open(info) as opened:
            yield opened
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        RuntimeError,  # NotImplementedError among them
        ValueError,
        struct.error,
    ) as error:
        reason = str(error) or "it ends early"
        raise InputError(f"{path}: damaged in its archive ({reason}); fetch it again") from error
