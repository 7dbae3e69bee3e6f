"""Files that chance has damaged: a reader gives what is in them or an InputError, nothing else.

The same examples are tried in every run. Warnings are errors here, too.
"""

import contextlib
import gzip
import time
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liverjax.errors import InputError
from liverjax.io.archives import open_tree
from liverjax.io.ct import read_scan
from liverjax.io.nifti import read_labels, read_nifti
from liverjax.io.tree import walk
from liverjax.volume import Segmentation, Volume
from tests.corpus import nifti
from tests.corpus.dicom_files import FILES, HU, enhanced, saved
from tests.io.dicom.compressed import SYNTAXES, compressed
from tests.io.dicom.files import zipped

# Each test tries so many, and no more once its time is over, on a machine that is very slow.
EXAMPLES, SECONDS = 200, 10.0
STEADY = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


class Edit(NamedTuple):
    """A change to some bytes: `place` and `other` are shares of the file's length."""

    kind: str
    place: float
    other: float
    data: bytes


# Places near the beginning, where the headers are, come as often as all others.
SHARES = st.one_of(st.floats(0, 1), st.floats(0, 0.15))
EDITS = st.lists(
    st.builds(
        Edit,
        st.sampled_from(["set", "set", "flip", "insert", "delete", "copy", "zero", "cut"]),
        SHARES,
        SHARES,
        st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from([b"\xff" * 4, bytes(4)])),
    ),
    min_size=1,
    max_size=6,
)


def damaged(data, edits, donor=b""):
    """`data` after the edits; "copy" takes its bytes from `donor` where there is one."""
    for kind, place, other, value in edits:
        at, size = int(place * len(data)), len(value)
        source = int(other * len(donor or data))
        if kind == "set":
            data = data[:at] + value + data[at + size :]
        elif kind == "flip":
            bit = bytes([data[at] ^ 1 << value[0] % 8]) if at < len(data) else b""
            data = data[:at] + bit + data[at + 1 :]
        elif kind == "insert":
            data = data[:at] + value + data[at:]
        elif kind == "delete":
            data = data[:at] + data[at + size :]
        elif kind == "copy":
            data = data[:at] + (donor or data)[source : source + 40] + data[at + 40 :]
        elif kind == "zero":
            end = max(at, int(other * len(data)))
            data = data[:at] + bytes(end - at) + data[end:]
        else:
            data = data[:at]
    return data


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture
def clock():
    """Whether the time of a test is over."""
    end = time.monotonic() + SECONDS
    return lambda: time.monotonic() > end


def check(path, read):
    """Reads a file; whatever is no InputError fails the test."""
    with contextlib.suppress(InputError):
        assert isinstance(read(path), Volume | Segmentation | int)


def dicom(syntax):
    """A slice in a transfer syntax, or all slices in one file."""
    if syntax == "multi-frame":
        return saved(enhanced())
    data = FILES["image_2"]
    return data if syntax == "plain" else compressed(data, syntax)


def read_dicom(path):
    return read_scan(path).volume


def read_archive(path):
    with open_tree(path) as tree:
        return sum(len(file.read()) for file in walk(tree))


@pytest.mark.parametrize("syntax", ["plain", "multi-frame", *SYNTAXES])
def test_dicom(folder, clock, syntax):
    data, donor = dicom(syntax), FILES["image_3"]
    path = folder / syntax
    path.mkdir()

    @STEADY
    @given(EDITS)
    def run(edits):
        if not clock():
            (path / "image.dcm").write_bytes(damaged(data, edits, donor))
            check(path, read_dicom)

    run()


@pytest.mark.parametrize("syntax", [name for name in SYNTAXES if name != "deflated"])
def test_stream(folder, clock, syntax):
    """The header is whole, so that what is damaged reaches the decoder."""
    data = dicom(syntax)
    path = folder / f"{syntax} stream"
    path.mkdir()
    start = data.index(b"\xe0\x7f\x10\x00") + 20

    @STEADY
    @given(EDITS)
    def run(edits):
        if not clock():
            kept = [edit for edit in edits if edit.kind not in ("insert", "delete", "cut")]
            stream = damaged(data[start:], kept)[: len(data) - start]
            (path / "image.dcm").write_bytes(data[:start] + stream)
            check(path, read_dicom)

    run()


@pytest.mark.parametrize("read", [read_archive, read_dicom])
def test_archive(folder, clock, read):
    nested = zipped({"a/b.zip": zipped(dict(list(FILES.items())[:2])), "c.txt": b"text"})
    data = {read_archive: nested, read_dicom: zipped(FILES)}[read]
    path = folder / f"{read.__name__}.zip"

    @STEADY
    @given(EDITS)
    def run(edits):
        if not clock():
            path.write_bytes(damaged(data, edits, nested))
            check(path, read)

    run()


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("read", [read_nifti, read_labels])
def test_nifti(folder, clock, read, suffix):
    data = nifti.DATA if read is read_nifti else nifti.encode(nifti.LABELS)
    path = folder / f"{read.__name__}{suffix}"

    @STEADY
    @given(EDITS, st.booleans())
    def run(edits, packed_first):
        """Damages what is in the gzip stream, or the stream."""
        if clock():
            return
        if suffix == ".nii":
            content = damaged(data, edits)
        elif packed_first:
            content = damaged(gzip.compress(data), edits)
        else:
            content = gzip.compress(damaged(data, edits))
        path.write_bytes(content)
        check(path, read)

    run()


def test_the_undamaged_can_be_read(folder):
    """Otherwise nothing above would come far."""
    path = folder / "whole"
    path.mkdir()
    for syntax in ("plain", *SYNTAXES):
        (path / "image.dcm").write_bytes(dicom(syntax))
        assert (read_dicom(path).hu == HU[2:3]).all()
    (path / "image.dcm").write_bytes(dicom("multi-frame"))
    assert (read_dicom(path).hu == HU).all()
