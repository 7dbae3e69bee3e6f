"""Damage to DICOM files that no DICOM library would write."""

import functools
import io
import zlib

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRBigEndian

from tests.io.dicom import compressed as compression
from tests.io.dicom.enhanced import enhanced_ct
from tests.io.dicom.files import example_hu, series_files

HU = example_hu(shape=(5, 16, 24))
FILES = series_files(HU)


def saved(dataset):
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def opened(data):
    return pydicom.dcmread(io.BytesIO(data))


def raw(data, keyword, vr, value):
    """A file in which a tag has a value that pydicom itself would not write."""
    dataset = opened(data)
    value += b" " * (len(value) % 2)
    dataset[keyword] = RawDataElement(Tag(keyword), vr, len(value), value, 0, False, True)
    return saved(dataset)


def meta(data, **tags):
    """A file with other values in its file meta information; None removes one."""
    dataset = opened(data)
    for keyword, value in tags.items():
        if value is None:
            del dataset.file_meta[keyword]
        else:
            setattr(dataset.file_meta, keyword, value)
    buffer = io.BytesIO()
    pydicom.dcmwrite(
        buffer, dataset, enforce_file_format=False, implicit_vr=False, little_endian=True
    )
    return buffer.getvalue()


@functools.cache
def packed(syntax, index=2):
    """A slice in another transfer syntax; what GDCM encodes takes a process of its own."""
    return compression.compressed(FILES[f"image_{index}"], syntax)


def in_syntax(data, uid):
    """A file that says to be in another transfer syntax, and is not."""
    at = data.index(b"\x02\x00\x10\x00UI")
    end = at + 8 + int.from_bytes(data[at + 6 : at + 8], "little")
    value = uid.encode() + b"\0" * (len(uid) % 2)
    element = data[at : at + 6] + len(value).to_bytes(2, "little") + value
    length = int.from_bytes(data[140:144], "little") + len(element) - (end - at)
    return data[:140] + length.to_bytes(4, "little") + data[144:at] + element + data[end:]


def big_endian(data):
    """A file whose numbers run the other way, in a syntax that was retired in 2006."""
    dataset = opened(data)
    dataset.walk(lambda _, element: element.value)
    pixels = dataset.pixel_array
    dataset.PixelData = pixels.astype(">i2").tobytes()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, implicit_vr=False, little_endian=False)
    return buffer.getvalue()


def with_streams(data, change):
    """A compressed file whose list of codestreams is changed."""
    dataset = opened(data)
    streams = list(generate_frames(dataset.PixelData, number_of_frames=1))
    dataset.PixelData = encapsulate(change(streams))
    dataset["PixelData"].is_undefined_length = True
    return saved(dataset)


def nested(depth):
    """A sequence in a sequence in a sequence."""
    item = Dataset()
    item.PatientComments = "deep"
    for _ in range(depth):
        outer = Dataset()
        outer.ReferencedImageSequence = Sequence([item])
        item = outer
    return item.ReferencedImageSequence


def raw_nested(data, depth):
    """As `nested`, of any depth: sequences of undefined length, put in before the pixels."""
    begin = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    end = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    at = data.index(b"\x10\x00\x10\x00PN")
    return data[:at] + begin * depth + end * depth + data[at:]


def deflated_bomb(data, mebibytes):
    """A deflated file with so many zeros after its data set, in a thousandth of the bytes."""
    small = compression.deflated(data)
    head = small[: len(small) - len(_deflated_body(small))]
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = packer.compress(zlib.decompress(_deflated_body(small), -zlib.MAX_WBITS))
    body += packer.flush(zlib.Z_FULL_FLUSH)
    # A block between two full flushes refers to nothing before it and may stand many times.
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + body + block * mebibytes + packer.flush()


def _deflated_body(data):
    length = int.from_bytes(data[140:144], "little")  # of the file meta information
    return data[144 + length :]


def enhanced():
    """The slices as one multi-frame file, as a data set to change."""
    return opened(enhanced_ct(HU))
