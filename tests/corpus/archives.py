"""Zip archives made to do harm, or damaged, and those that only look so."""

import io
import os
import stat
import struct
import warnings
import zipfile
import zlib

import numpy as np

from liverjax.errors import InputError
from liverjax.io.archives import open_tree
from liverjax.io.tree import walk
from tests.corpus.case import Case
from tests.corpus.dicom_files import FILES, HU
from tests.io.dicom.files import write_files, zipped

MIB = 1 << 20


def read_all(path):
    """Reads every file of a tree; its names."""
    with open_tree(path) as tree:
        for file in (files := list(walk(tree))):
            file.read()
        return [str(file.path) for file in files]


def same(scan):
    np.testing.assert_array_equal(scan.volume.hu, HU)


def archive(*entries, method=zipfile.ZIP_DEFLATED):
    """An archive of (name or ZipInfo, content)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as opened, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, data in entries:
            opened.writestr(name, data)
    return buffer.getvalue()


def of_kind(kind, name="evil"):
    """An entry whose Unix mode says that it is something else than a file."""
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (kind | 0o644) << 16
    return archive(("a.txt", b"1"), (info, b"/etc/passwd"))


def patched(data, mark, offset, value, which=0):
    """`data` with bytes changed behind the header number `which` that begins with `mark`."""
    at = -1
    for _ in range(which + 1):
        at = data.index(mark, at + 1)
    at += offset
    return data[:at] + value + data[at + len(value) :]


LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


def both(data, local, central, value):
    return patched(patched(data, LOCAL, local, value), CENTRAL, central, value)


def renamed(name):
    """An entry with a name of four letters that zipfile itself would not write."""
    return archive(("evil", b"1")).replace(b"evil", name)


def case(name, data, field, message, *, error=InputError, read=read_all, check=None):
    def make(folder):
        write_files(folder, {"x.zip": data() if callable(data) else data})
        return folder / "x.zip"

    check = check or (lambda result: None)
    return Case(f"archive: {name}", make, error, field, message, read, check)


def entry(name, data, field, message="", **options):
    """A case whose message must name archive and entry."""
    return case(name, data, field, rf"x\.zip: entry '.*': expected .*{message or field}", **options)


def names():
    for name in (
        "../evil", "a/../../evil", "/evil", "\\evil", "..\\evil", "C:\\evil", "c:evil",
        "//host/share/evil", "a/..",
    ):  # fmt: skip
        yield entry(f"name {name}", archive((name, b"1")), "name inside the archive")
    for name in (b"ev\0l", b"ev\nl", b"ev\x1bl", b"\x7fvil"):
        yield entry(f"name {name!r}", renamed(name), "control characters")
    deep = "/".join("a" * 40)
    yield entry("a name of 40 folders", archive((deep, b"1")), "folders")
    yield entry("a name twice", archive(("a", b"1"), ("a", b"2")), "twice")
    yield entry("a name twice, \\", archive(("a/b", b"1"), ("a\\b", b"2")), "twice")
    yield entry("a file and a folder", archive(("a", b"1"), ("a/b", b"2")), "folder")
    yield entry("a folder and a file", archive(("a/b", b"1"), ("a", b"2")), "twice")


def kinds():
    for what, kind in {
        "symbolic link": stat.S_IFLNK,
        "device": stat.S_IFCHR,
        "pipe": stat.S_IFIFO,
        "socket": stat.S_IFSOCK,
    }.items():
        yield entry(what, of_kind(kind), what)
    yield entry("block device", of_kind(stat.S_IFBLK), "device")
    for bit in (0x1, 0x40):
        flag = bytes([bit])
        yield entry(f"encrypted {bit}", both(archive(("a", b"1")), 6, 8, flag), "encrypt")


def sizes():
    small = archive(("a.bin", bytes(1000)))
    stored = archive(("a.bin", bytes(1000)), method=zipfile.ZIP_STORED)
    yield entry(
        "a declared ratio of a bomb", both(small, 22, 24, struct.pack("<I", 1 << 30)), "zip bomb"
    )
    yield entry("stored but of two sizes", both(stored, 22, 24, b"\0\1\0\0"), "bytes stored")
    yield case(
        "more than declared",
        both(small, 22, 24, struct.pack("<I", 10)),
        "a.bin",
        r"x\.zip/a\.bin: damaged in its archive",
    )
    yield case(
        "much more than declared, with the checksum of its beginning",
        lying(bytes(64 * MIB), 10),
        "a.bin",
        r"x\.zip/a\.bin: damaged in its archive: expected 10 bytes as declared, found more",
    )
    yield case(
        "less than declared",
        both(small, 22, 24, struct.pack("<I", 2000)),
        "a.bin",
        r"x\.zip/a\.bin: damaged in its archive: expected 2000 bytes",
    )
    yield case(
        "too many bytes in all",
        lambda: many_declared(20, (4 << 30) - 2),
        "bytes in all entries",
        r"x\.zip: expected at most \d+ bytes in all entries, found",
    )
    yield case(
        "too many entries",
        lambda: many_entries(100_001),
        "entries",
        r"x\.zip: expected at most 100000 entries, found 100001",
    )
    yield case(
        "a directory larger than any", many_names, "directory", r"x\.zip: expected a directory of"
    )
    yield case(
        "a nested archive too large for memory",
        lambda: large_nested((1 << 30) + 1),
        "archive inside of another",
        r"x\.zip/n\.zip: expected at most \d+ bytes in an archive inside of another",
    )
    five = FILES["image_0"]
    for _ in range(5):
        five = zipped({"x.zip": five})
    yield case("archives five deep", five, "archives", r"x\.zip.*: expected at most 4 archives")
    zeros = zipped(FILES | {"empty.raw": bytes(32 * MIB)})
    yield case("zeros, as an empty mask", zeros, "", "", error=None, read=read_all)


def lying(content, size):
    """An entry that declares its first `size` bytes alone, with their checksum."""
    data = archive(("a.bin", content))
    crc = struct.pack("<I", zlib.crc32(content[:size]))
    return both(both(data, 22, 24, struct.pack("<I", size)), 14, 16, crc)


def directory(entries, body=b""):
    """An archive of a body and (name, compressed size, size, offset) in its directory."""
    central = b"".join(
        struct.pack("<4s6H3I5H2I", CENTRAL, 20, 20, 0, 8, 0, 0, 0, packed, size, len(name),
                    0, 0, 0, 0, 0, offset) + name
        for name, packed, size, offset in entries
    )  # fmt: skip
    count = min(len(entries), 0xFFFF)
    end = struct.pack("<4s4H2IH", END, 0, 0, count, count, len(central), len(body), 0)
    return body + central + end


def many_declared(count, size):
    """Entries beside one another that declare much, which a sane ratio of their bytes allows."""
    packed = size // 1000
    return directory(
        [(b"%d" % i, packed, size, i * (packed + 40)) for i in range(count)],
        bytes(count * (packed + 40)),
    )


def many_entries(count):
    return directory([(b"%d" % i, 0, 0, i * 40) for i in range(count)], bytes(count * 40))


def many_names():
    return directory([(b"%05d" % i + b"n" * 60_000, 0, 0, i * 40) for i in range(600)])


def large_nested(size):
    packed = size // 1000
    return directory([(b"n.zip", packed, size, 0)], bytes(packed + 40))


def overlaps():
    """Bombs in which entries share their bytes."""
    yield entry(
        "one body for all", directory([(b"a%d" % i, 900, 10**6, 0) for i in range(9)], bytes(940)),
        "something else begins",
    )  # fmt: skip
    yield entry(
        "bodies in one another",
        directory([(b"a%d" % i, 940 - 40 * i, 10**6, 40 * i) for i in range(9)], bytes(980)),
        "something else begins",
    )
    yield entry(
        "a body in the directory", directory([(b"a", 900, 10**6, 0)], bytes(500)),
        "something else begins",
    )  # fmt: skip


def damage():
    good = zipped(FILES)
    whole = (
        r"x\.zip: (expected a folder, a complete zip archive or a DICOM|not a complete zip archive)"
    )
    for length in (0, 1, 30, len(good) // 2, len(good) - 30, len(good) - 1):
        yield case(f"cut to {length} bytes", good[:length], "zip archive", whole)
    yield case("text", b"no archive" * 20, "zip archive", whole)
    header = patched(good, CENTRAL, 0, b"XX")
    yield case("no header in the directory", header, "zip archive", whole)
    version = patched(good, CENTRAL, 6, b"\xff")
    yield case("a version of the future", version, "zip archive", whole)
    far = patched(good, END, 16, b"\xff\xff\xff\x7f")
    yield entry("a directory elsewhere", far, "it in the archive")
    name = r"x\.zip/image_0: "
    broken = patched(good, LOCAL, 0, b"XX")
    yield case("no header before an entry", broken, "image_0", name + "damaged")
    other = patched(good, LOCAL, 30, b"other_0")
    yield case("another name before an entry", other, "image_0", name + "damaged")
    crc = patched(good, CENTRAL, 16, b"\0\0\0\0")
    yield case("a wrong checksum", crc, "image_0", name + "damaged")
    body = patched(good, LOCAL, 60, b"\xff" * 20)
    yield case("a damaged body", body, "image_0", name + "damaged")
    for method in (9, 12, 14, 93, 99):
        data = both(good, 8, 10, bytes([method]))
        yield case(
            f"compression method {method}",
            data,
            "compression method",
            name + f".*compression method {method}",
        )
    yield case("a series", good, "", "", error=None, read=case_reader(), check=same)
    yield case("data before it", b"#!/bin/sh\n" + good, "", "", error=None, read=case_reader(),
               check=same)  # fmt: skip
    yield case("a damaged slice", crc, "image_0", name + "damaged", read=case_reader())


def case_reader():
    return Case._field_defaults["read"]


def on_disk():
    """Folders with what is no file in them."""

    def folder_case(name, change, error=None, field="", message="", check=same):
        def make(folder):
            path = write_files(folder / "in", FILES)
            change(path)
            return path

        return Case(f"folder: {name}", make, error, field, message, check=check)

    yield folder_case("a pipe", lambda path: os.mkfifo(path / "image_9"))
    yield folder_case("a circle", lambda path: (path / "a").symlink_to(path))
    yield folder_case("a circle of one", lambda path: (path / "a").symlink_to("."))
    yield folder_case("a device", lambda path: (path / "zero").symlink_to("/dev/zero"))
    yield folder_case(
        "a link to nothing",
        lambda path: (path / "image_9").symlink_to("gone"),
        InputError,
        "link to nothing",
        "in/image_9: expected a file, found a link to nothing",
    )
    yield folder_case(
        "a link to itself",
        lambda path: (path / "image_9").symlink_to("image_9"),
        InputError,
        "image_9",
        "in/image_9: cannot be read",
    )

    def pipe(folder):
        os.mkfifo(folder / "pipe")
        return folder / "pipe"

    def nothing_there(folder):
        return folder / "gone"

    for name, make, field in (("a pipe", pipe, "folder"), ("nothing", nothing_there, "no such")):
        message = rf"{field}.*"
        yield Case(f"folder: {name} in its place", make, InputError, field, message, read=read_all)


def cases():
    for group in (names, kinds, sizes, overlaps, damage, on_disk):
        yield from group()
