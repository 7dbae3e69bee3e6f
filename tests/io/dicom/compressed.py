"""DICOM files in other transfer syntaxes, encoded by GDCM or pydicom, for tests."""

import io
import tempfile
from pathlib import Path

import gdcm
import pydicom
from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless

# By GDCM's name.
GDCM_SYNTAXES = {
    "JPEG lossless": gdcm.TransferSyntax.JPEGLosslessProcess14_1,
    "JPEG lossless, any predictor": gdcm.TransferSyntax.JPEGLosslessProcess14,
    "JPEG-LS": gdcm.TransferSyntax.JPEGLSLossless,
    "JPEG 2000": gdcm.TransferSyntax.JPEG2000Lossless,
}
SYNTAXES = (*GDCM_SYNTAXES, "RLE", "deflated")


def compressed(data: bytes, syntax: str) -> bytes:
    """An uncompressed DICOM file in another of `SYNTAXES`, without loss."""
    if syntax in GDCM_SYNTAXES:
        return _by_gdcm(data, GDCM_SYNTAXES[syntax])
    dataset = pydicom.dcmread(io.BytesIO(data))
    if syntax == "RLE":
        dataset.compress(RLELossless, encoding_plugin="pydicom")
        buffer = io.BytesIO()
        dataset.save_as(buffer)
        return buffer.getvalue()
    return deflated(data)


def deflated(data: bytes) -> bytes:
    """A file in Explicit VR Little Endian as one in the deflated syntax."""
    dataset = pydicom.dcmread(io.BytesIO(data))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def _by_gdcm(data: bytes, syntax: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "source"), Path(folder, "target")
        source.write_bytes(data)
        reader = gdcm.ImageReader()
        reader.SetFileName(str(source))
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer = gdcm.ImageWriter()
        writer.SetFileName(str(target))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        return target.read_bytes()
