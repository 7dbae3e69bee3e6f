"""Folders and nested archives as one tree."""

import errno
import io
import pathlib
import resource
import tracemalloc
import warnings
import zipfile
import zlib
from pathlib import Path

import pytest

from liverjax.errors import InputError
from liverjax.io import archive_limits
from liverjax.io.archives import open_tree
from liverjax.io.tree import find, only_one, walk
from tests.io.dicom.files import write_files, zipped

CONTENT = {"a/one.txt": b"one", "a/b/two.txt": b"two", "three.txt": b"three"}


def contents(path):
    with open_tree(path) as tree:
        return {str(file.path): file.read() for file in walk(tree)}


def test_archives_are_folders(tmp_path):
    write_files(
        tmp_path / "in", {"c/inner.zip": zipped({"d/deep.ZIP": zipped(CONTENT)}), "x": b"x"}
    )
    top = "in/c/inner.zip/d/deep.ZIP"
    expected = {f"{top}/{path}": data for path, data in CONTENT.items()}
    assert contents(tmp_path / "in") == expected | {"in/x": b"x"}


def test_archive_itself_is_a_tree(tmp_path):
    write_files(tmp_path, {"in.zip": zipped(CONTENT)})
    assert contents(tmp_path / "in.zip") == {f"in.zip/{k}": v for k, v in CONTENT.items()}
    with open_tree(tmp_path / "in.zip") as tree:
        assert (tree.name, tree.is_archive) == ("in", True)
        assert [folder.name for folder in tree.open().folders] == ["a"]


def test_size_and_checksum_are_those_of_the_content(tmp_path):
    write_files(tmp_path / "in", CONTENT | {"in.zip": zipped(CONTENT)})
    with open_tree(tmp_path / "in") as tree:
        files = list(walk(tree))
        assert len(files) == 6
        for file in files:
            assert file.size == len(file.read())
            assert file.crc32() == zlib.crc32(file.read())


def test_what_systems_strew_about_is_left_out(tmp_path):
    junk = {".DS_Store": b"", "__MACOSX/a/._one.txt": b"", "a/Thumbs.db": b"", "a/._x": b""}
    write_files(tmp_path / "in", CONTENT | junk | {"in.zip": zipped(CONTENT | junk)})
    assert len(contents(tmp_path / "in")) == 6


def test_archives_are_opened_only_when_listed(tmp_path):
    write_files(tmp_path / "in", {"bad.zip": b"no archive", "good.zip": zipped(CONTENT)})
    with open_tree(tmp_path / "in") as tree:
        bad, good = tree.open().folders
        assert len(list(walk(good))) == 3
        with pytest.raises(InputError, match=r"in/bad\.zip: not a complete zip archive"):
            bad.open()


def test_cut_archive_is_refused(tmp_path):
    write_files(tmp_path, {"in.zip": zipped(CONTENT)[:-30]})
    with pytest.raises(InputError, match="expected a folder, a complete zip archive"):
        contents(tmp_path / "in.zip")


def test_damaged_member_is_named(tmp_path):
    data = zipped({"one.txt": b"1234567890" * 9, "two.txt": b"0"})
    start = data.index(b"one.txt") + len("one.txt")
    write_files(tmp_path / "in", {"x.zip": data[:start] + b"\xff\xff" + data[start + 2 :]})
    with pytest.raises(InputError, match=r"in/x\.zip/one\.txt: damaged in its archive"):
        contents(tmp_path / "in")


def test_encrypted_member_is_refused(tmp_path):
    data = bytearray(zipped({"one.txt": b"1"}))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    write_files(tmp_path, {"x.zip": bytes(data)})
    with pytest.raises(InputError, match=r"x\.zip: entry 'one\.txt': expected no encryption"):
        contents(tmp_path / "x.zip")


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "a\\..\\evil"])
def test_names_that_point_outside_are_refused(tmp_path, name):
    write_files(tmp_path, {"x.zip": zipped({name: b"1"})})
    with pytest.raises(InputError, match=r"x\.zip: entry '.*': expected a name inside the archive"):
        contents(tmp_path / "x.zip")


def test_backslashes_separate_folders(tmp_path):
    write_files(tmp_path, {"x.zip": zipped({"a\\b\\c": b"1"})})
    assert contents(tmp_path / "x.zip") == {"x.zip/a/b/c": b"1"}


def test_a_name_twice_is_refused(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr("one", b"1")
        archive.writestr("one", b"2")
    write_files(tmp_path, {"x.zip": buffer.getvalue()})
    with pytest.raises(InputError, match=r"x\.zip: entry 'one': expected a name once"):
        contents(tmp_path / "x.zip")


def test_a_file_that_is_also_a_folder_is_refused(tmp_path):
    write_files(tmp_path, {"x.zip": zipped({"one": b"1", "one/two": b"2"})})
    with pytest.raises(InputError, match="one"):
        contents(tmp_path / "x.zip")


def test_too_many_nested_archives_are_refused(tmp_path):
    data = zipped(CONTENT)
    for _ in range(archive_limits.MAX_ARCHIVES):
        data = zipped({"x.zip": data})
    write_files(tmp_path, {"x.zip": data})
    with pytest.raises(InputError, match="expected at most 4 archives"):
        contents(tmp_path / "x.zip")


def test_a_member_that_declares_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive_limits, "MAX_FILE_BYTES", 2)
    write_files(tmp_path, {"x.zip": zipped(CONTENT)})
    with pytest.raises(InputError, match="expected at most 2 bytes"):
        contents(tmp_path / "x.zip")


def test_links_are_followed_out_of_the_tree_once_and_never_into_it(tmp_path):
    write_files(tmp_path / "in", CONTENT)
    write_files(tmp_path / "out", {"d/four.txt": b"4"})
    (tmp_path / "in" / "a" / "again").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "a" / "b" / "own").symlink_to(".")
    # What it leads to is found by itself; twice would be two slices in one place.
    (tmp_path / "in" / "latest").symlink_to(tmp_path / "in" / "a" / "b")
    (tmp_path / "in" / "c").symlink_to(tmp_path / "out")
    # Each of these would double what the one before holds.
    for name in ("e", "f"):
        (tmp_path / "out" / name).symlink_to(tmp_path / "out" / "d")
    assert sorted(contents(tmp_path / "in")) == [
        "in/a/b/two.txt", "in/a/one.txt", "in/c/d/four.txt", "in/three.txt"
    ]  # fmt: skip


def test_more_archives_than_may_be_open_at_once(tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(60):
        (tmp_path / "in" / f"{number}.zip").write_bytes(zipped({"one": b"1"}))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    in_use = len(list(Path("/dev/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (in_use + 30, hard))
    try:
        assert len(contents(tmp_path / "in")) == 60
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_dicom_file_is_a_folder_that_holds_it(tmp_path):
    (tmp_path / "one.dcm").write_bytes(bytes(128) + b"DICM")
    assert list(contents(tmp_path / "one.dcm")) == ["one.dcm"]


def test_absent_path_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        contents(tmp_path / "in")


def test_find_and_only_one(tmp_path):
    copies = {
        "x/one": b"1", "x.zip": zipped({"x/one": b"1"}), "y/x.zip": zipped({"one": b"2"})
    }  # fmt: skip
    write_files(tmp_path / "in", copies)
    with open_tree(tmp_path / "in") as tree:
        x, archive, y = tree.open().folders
        other = y.open().folders[0]
        assert find(tree, other.path).path == other.path
        assert only_one([x, archive], "").path == x.path
        with pytest.raises(InputError, match=r"in/x and in/y/x\.zip hold different files; keep"):
            only_one([x, other], "keep one")
        with pytest.raises(InputError, match="no such folder"):
            find(tree, other.path / "z")


def test_what_a_mac_adds_has_no_name_to_be_refused(tmp_path):
    write_files(tmp_path, {"x.zip": zipped({"Icon\r": b"", "__MACOSX/._Icon\r": b"", "a": b"1"})})
    assert contents(tmp_path / "x.zip") == {"x.zip/a": b"1"}


def test_names_with_points_and_empty_parts_are_those_without(tmp_path):
    write_files(tmp_path, {"x.zip": zipped({"./a//b/./c": b"1"})})
    assert contents(tmp_path / "x.zip") == {"x.zip/a/b/c": b"1"}


def test_archives_in_others_have_a_budget_together(tmp_path, monkeypatch):
    nested = zipped(CONTENT)
    write_files(tmp_path, {"x.zip": zipped({"a.zip": nested, "b.zip": nested})})
    monkeypatch.setattr(archive_limits, "MAX_ALL_NESTED_BYTES", 2 * len(nested))
    with open_tree(tmp_path / "x.zip") as tree:
        for _ in range(3):  # listed again is not another one
            assert len(list(walk(tree))) == 6
    monkeypatch.setattr(archive_limits, "MAX_ALL_NESTED_BYTES", 2 * len(nested) - 1)
    with pytest.raises(InputError, match=r"x\.zip/b\.zip: expected at most .* found"):
        contents(tmp_path / "x.zip")
    monkeypatch.setattr(archive_limits, "MAX_ALL_NESTED_BYTES", 1 << 30)
    monkeypatch.setattr(archive_limits, "MAX_ALL_NESTED_ENTRIES", 9)
    with pytest.raises(InputError, match="and 9 entries in archives inside of archives, found"):
        contents(tmp_path / "x.zip")


def test_a_nested_archive_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(archive_limits, "MAX_NESTED_BYTES", 100)
    write_files(tmp_path, {"x.zip": zipped({"a.zip": b"no archive" * 20})})
    with pytest.raises(InputError, match=r"x\.zip/a\.zip: expected at most 100 bytes"):
        contents(tmp_path / "x.zip")


@pytest.mark.parametrize("name", ["in", "in.zip"])
def test_a_head_is_read_without_the_rest(tmp_path, name):
    size = 64 << 20
    files = {"large.bin": bytes(size)}
    write_files(tmp_path, {"in.zip": zipped(files)} if name == "in.zip" else {"in/large.bin": b""})
    if name == "in":
        with (tmp_path / "in" / "large.bin").open("wb") as file:
            file.truncate(size)
    tracemalloc.start()
    try:
        with open_tree(tmp_path / name) as tree:
            (file,) = walk(tree)
            assert file.size == size
            assert file.head(132) == bytes(132)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    write_files(tmp_path / "in", CONTENT)

    def refuse(path, *arguments):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with open_tree(tmp_path / "in") as tree:
        (file,) = tree.open().files
        for name in ("read_bytes", "open"):
            monkeypatch.setattr(pathlib.Path, name, refuse)
        for read in (file.read, file.crc32, lambda: file.head(1)):
            with pytest.raises(InputError, match=r"in/three\.txt: cannot be read: Permission"):
                read()
