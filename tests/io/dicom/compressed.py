"""DICOM files in other transfer syntaxes, encoded by GDCM or pydicom, for tests."""

import io
import subprocess
import sys
import tempfile
from pathlib import Path

import pydicom
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGLSLossless, RLELossless

# By GDCM's name.
GDCM_SYNTAXES = {
    "JPEG lossless": "JPEGLosslessProcess14_1",
    "JPEG lossless, any predictor": "JPEGLosslessProcess14",
    "JPEG 2000": "JPEG2000Lossless",
}
_PROGRAM = """
import sys, gdcm
source, target, syntax = sys.argv[1:]
reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
reader.SetFileName(source)
assert reader.Read()
change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
change.SetInput(reader.GetImage())
assert change.Change()
writer.SetFileName(target)
writer.SetFile(reader.GetFile())
writer.SetImage(change.GetOutput())
assert writer.Write()
"""
_PYDICOM_SYNTAXES = {"JPEG-LS": (JPEGLSLossless, "pyjpegls"), "RLE": (RLELossless, "pydicom")}
STREAMS = (*GDCM_SYNTAXES, "JPEG-LS")
SYNTAXES = (*STREAMS, "RLE", "deflated")


def compressed(data: bytes, syntax: str) -> bytes:
    """An uncompressed DICOM file in another of `SYNTAXES`, without loss."""
    if syntax in GDCM_SYNTAXES:
        return _by_gdcm(data, GDCM_SYNTAXES[syntax])
    if syntax == "deflated":
        return deflated(data)
    dataset = pydicom.dcmread(io.BytesIO(data))
    uid, plugin = _PYDICOM_SYNTAXES[syntax]
    dataset.compress(uid, encoding_plugin=plugin, generate_instance_uid=False)
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def deflated(data: bytes) -> bytes:
    """A file in Explicit VR Little Endian as one in the deflated syntax."""
    dataset = pydicom.dcmread(io.BytesIO(data))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def _by_gdcm(data: bytes, syntax: str) -> bytes:
    """By a process of its own: GDCM's Python objects are not safe from the garbage collector."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "source"), Path(folder, "target")
        source.write_bytes(data)
        subprocess.run(
            [sys.executable, "-c", _PROGRAM, str(source), str(target), syntax], check=True
        )
        return target.read_bytes()
