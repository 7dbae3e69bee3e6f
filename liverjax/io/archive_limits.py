"""What is wrong with a zip archive, told from its directory before any entry is read.

Nothing is unpacked to disk, so a name that points outside could do no harm here; but an archive
that holds one was made to do some, and its other entries deserve no trust either.
"""

import dataclasses
import itertools
import re
import stat
import unicodedata
import zipfile
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import IO, Any

from liverjax.errors import InputError
from liverjax.io.tree import is_archive, is_junk

MAX_ENTRIES = 100_000
MAX_ARCHIVES = 4
MAX_FOLDERS = 32
MAX_FILE_BYTES = 4 << 30
MAX_TOTAL_BYTES = 64 << 30
# Archives in others are held in memory; all of one tree together inflate to at most the latter.
MAX_NESTED_BYTES = 1 << 30
MAX_ALL_NESTED_BYTES = 64 << 30
MAX_ALL_NESTED_ENTRIES = 1_000_000
# Deflate reaches 1032:1 on zeros, so that an empty mask passes, and no bomb of another kind.
MAX_RATIO = 1100
_SMALL_BYTES = 16 << 20
_MAX_DIRECTORY_BYTES = 32 << 20
_LOCAL_HEADER_BYTES = 30  # less its name and extra field, APPNOTE.TXT 4.3.7
_ENCRYPTED = 0x1 | 0x40 | 0x2000  # bits of the general purpose flags, APPNOTE.TXT 4.4.4
_DRIVE = re.compile(r"[A-Za-z]:")
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
}


class DirectoryFile:
    """An archive's file that lets its directory be read only where that is of a sane size.

    `zipfile` reads the whole directory, whatever size it claims, and makes an object per entry.
    """

    def __init__(self, opened: IO[bytes], path: PurePosixPath) -> None:
        self._opened, self._path = opened, path

    def read(self, size: int = -1) -> bytes:
        """As of a file; raises InputError where more is asked for than a directory may have.

        What is asked for without a size is the end of the file, where the directory's size stands.
        """
        if size > _MAX_DIRECTORY_BYTES:
            raise InputError(
                f"{self._path}: expected a directory of at most {_MAX_DIRECTORY_BYTES} bytes in "
                f"the archive, found {size}"
            )
        return self._opened.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._opened, name)


@dataclasses.dataclass
class Budget:
    """What the archives in other archives of one tree may cost together.

    An archive of archives of archives can grow without an end while each of them is small.
    """

    bytes: int = 0
    entries: int = 0
    _seen: set[PurePosixPath] = dataclasses.field(default_factory=set)

    def spend(self, path: PurePosixPath, size: int, entries: int) -> None:
        """Counts a nested archive, once however often it is listed.

        Raises:
            InputError: it is one too many.
        """
        if path in self._seen:
            return
        self._seen.add(path)
        self.bytes += size
        self.entries += entries
        if self.bytes > MAX_ALL_NESTED_BYTES or self.entries > MAX_ALL_NESTED_ENTRIES:
            raise InputError(
                f"{path}: expected at most {MAX_ALL_NESTED_BYTES} bytes and "
                f"{MAX_ALL_NESTED_ENTRIES} entries in archives inside of archives, found "
                f"{self.bytes} and {self.entries}"
            )


def check_path(path: PurePosixPath) -> None:
    """Refuses nesting that no data set has."""
    archives = sum(is_archive(part) for part in path.parts)
    if archives > MAX_ARCHIVES:
        raise InputError(
            f"{path}: expected at most {MAX_ARCHIVES} archives in one another, found {archives}"
        )
    if len(path.parts) > MAX_FOLDERS:
        raise InputError(
            f"{path}: expected at most {MAX_FOLDERS} folders in one another, found "
            f"{len(path.parts)}"
        )


def check_nested(info: zipfile.ZipInfo, path: PurePosixPath) -> None:
    """Refuses an archive in another one that is too large for memory."""
    if info.file_size > MAX_NESTED_BYTES:
        raise InputError(
            f"{path}: expected at most {MAX_NESTED_BYTES} bytes in an archive inside of another, "
            f"found {info.file_size} declared; extract it first"
        )


def entry_parts(info: zipfile.ZipInfo, path: PurePosixPath) -> list[str]:
    """Names of the folders of an entry and its own, from the top of the archive at `path`.

    Empty for the top itself, and for what operating systems strew about.

    Raises:
        InputError: the name points outside of the archive, or cannot be one of a file.
    """
    name = info.orig_filename  # `filename` ends at a NUL
    # Some Windows programs write the backslash.
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or _DRIVE.match(name) or ".." in parts:
        raise _refusal(path, info, "expected a name inside the archive, found one outside")
    parts = [part for part in parts if part not in ("", ".")]
    if any(is_junk(part) for part in parts):
        return []
    if any(unicodedata.category(letter) in ("Cc", "Zl", "Zp") for letter in name):
        raise _refusal(path, info, "expected a name of printable letters, found control characters")
    if len(parts) > MAX_FOLDERS:
        raise _refusal(path, info, f"expected at most {MAX_FOLDERS} folders, found {len(parts)}")
    return parts


def check_entries(infos: Sequence[zipfile.ZipInfo], end: int, path: PurePosixPath) -> None:
    """Checks all entries of the archive at `path`, whose directory begins at byte `end`.

    Raises:
        InputError: names the archive and the entry.
    """
    if len(infos) > MAX_ENTRIES:
        raise InputError(f"{path}: expected at most {MAX_ENTRIES} entries, found {len(infos)}")
    for info in infos:
        _check_entry(info, path)
    total = sum(info.file_size for info in infos)
    if total > MAX_TOTAL_BYTES:
        raise InputError(
            f"{path}: expected at most {MAX_TOTAL_BYTES} bytes in all entries, found {total} "
            "declared; extract it first"
        )
    _check_overlap(infos, end, path)


def _check_entry(info: zipfile.ZipInfo, path: PurePosixPath) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind in _KINDS:
        raise _refusal(path, info, f"expected a file or a folder, found {_KINDS[kind]}")
    if info.flag_bits & _ENCRYPTED:
        raise _refusal(path, info, "expected no encryption, found it encrypted; extract it first")
    if info.compress_type == zipfile.ZIP_STORED and info.compress_size != info.file_size:
        raise _refusal(
            path, info, f"expected {info.file_size} bytes stored, found {info.compress_size}"
        )
    if info.file_size > max(_SMALL_BYTES, MAX_RATIO * info.compress_size):
        raise _refusal(
            path,
            info,
            f"expected at most {MAX_RATIO} times the {info.compress_size} compressed bytes, found "
            f"{info.file_size} declared; is this a zip bomb?",
        )


def _check_overlap(infos: Sequence[zipfile.ZipInfo], end: int, path: PurePosixPath) -> None:
    """Refuses entries that share bytes, by which a small archive inflates to a huge one."""
    ordered = sorted(infos, key=lambda info: info.header_offset)
    starts = [info.header_offset for info in ordered]
    for info, (start, following) in zip(ordered, itertools.pairwise([*starts, end]), strict=True):
        last = start + _LOCAL_HEADER_BYTES + info.compress_size
        if start < 0:
            raise _refusal(path, info, f"expected it in the archive, found it at byte {start}")
        if last > following:
            raise _refusal(
                path,
                info,
                f"expected it to end by byte {following}, where something else begins, found "
                f"{last} or later",
            )


def _refusal(path: PurePosixPath, info: zipfile.ZipInfo, problem: str) -> InputError:
    # repr, as a name may hold what would garble a terminal.
    return InputError(f"{path}: entry {info.orig_filename[:200]!r}: {problem}")
