"""Pixels in every transfer syntax, and streams that no decoder survives."""

import io

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import DeflatedExplicitVRLittleEndian

from liverjax.errors import InputError
from liverjax.io.ct import read_ct
from liverjax.io.dicom import decoder
from liverjax.io.dicom.codestream import read_head
from tests.io.dicom.compressed import STREAMS, SYNTAXES, compressed
from tests.io.dicom.files import edited, example_hu, series_files, write_files

HU = example_hu(shape=(3, 16, 24))
FILES = series_files(HU)


def with_stream(data, change):
    """A compressed file whose first codestream is changed."""
    dataset = pydicom.dcmread(io.BytesIO(data))
    (stream,) = generate_frames(dataset.PixelData, number_of_frames=1)
    dataset.PixelData = encapsulate([change(stream)])
    dataset["PixelData"].is_undefined_length = True
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_compression_changes_no_voxel(tmp_path, syntax):
    files = {name: compressed(data, syntax) for name, data in FILES.items()}
    volume = read_ct(write_files(tmp_path / "in", files))
    np.testing.assert_array_equal(volume.hu, HU)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_compression_of_twelve_unsigned_bits(tmp_path, syntax):
    stored = np.random.default_rng(2).integers(0, 4096, HU.shape).astype(np.uint16)
    tags = {"BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0, "RescaleIntercept": -1024}
    files = {
        name: compressed(edited(data, PixelData=plane.tobytes(), **tags), syntax)
        for (name, data), plane in zip(FILES.items(), stored, strict=True)
    }
    volume = read_ct(write_files(tmp_path / "in", files))
    np.testing.assert_array_equal(volume.hu, stored.astype(np.int16) - 1024)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("bits", [12, 13])
def test_compression_of_signed_bits(tmp_path, syntax, bits):
    low = -(1 << (bits - 1))
    stored = np.random.default_rng(4).integers(low, -low, HU[:1].shape).astype(np.int16)
    tags = {"BitsStored": bits, "HighBit": bits - 1, "PixelRepresentation": 1}
    data = edited(FILES["image_0"], PixelData=stored.tobytes(), **tags)
    volume = read_ct(write_files(tmp_path / "in", {"image_0": compressed(data, syntax)}))
    np.testing.assert_array_equal(volume.hu, stored)


@pytest.mark.parametrize("syntax", ["JPEG 2000", "RLE"])
def test_fewer_bits_than_decoded_values_have_are_refused(tmp_path, syntax):
    data = edited(compressed(FILES["image_0"], syntax), BitsStored=11, HighBit=10)
    with pytest.raises(InputError, match="BitsStored: expected the bits of the decoded values"):
        read_ct(write_files(tmp_path / "in", {"image_0": data}))


def test_rle_that_grows_beyond_a_frame_is_refused(tmp_path):
    data = with_stream(compressed(FILES["image_0"], "RLE"), lambda stream: stream + bytes(1 << 16))
    with pytest.raises(InputError, match="PixelData: expected 768 bytes in a frame, found"):
        read_ct(write_files(tmp_path / "in", {"image_0": data}))


@pytest.mark.parametrize("syntax", STREAMS)
def test_a_damaged_stream_is_an_error(tmp_path, syntax):
    data = compressed(FILES["image_0"], syntax)
    cut = with_stream(data, lambda stream: stream[: len(stream) // 4])
    with pytest.raises(InputError, match=r"image_0: PixelData: "):
        read_ct(write_files(tmp_path / "in", FILES | {"image_0": cut}))


@pytest.mark.parametrize("syntax", STREAMS)
def test_a_stream_of_another_size_is_refused_before_it_is_decoded(tmp_path, syntax):
    data = edited(compressed(FILES["image_0"], syntax), Rows=24, Columns=16)
    with pytest.raises(InputError, match=r"PixelData: expected a frame of 24 x 16 .* 16 x 24 in 1"):
        read_ct(write_files(tmp_path / "in", {"image_0": data}))


def test_samples_of_more_bits_than_there_is_room_for_are_refused(tmp_path):
    data = compressed(FILES["image_0"], "JPEG-LS")
    marker = data.index(b"\xff\xf7")
    data = data[: marker + 4] + bytes([32]) + data[marker + 5 :]
    with pytest.raises(InputError, match=r"samples of 2 to 16 bits, .* found 32 in the JPEG-LS"):
        read_ct(write_files(tmp_path / "in", {"image_0": data}))


def test_what_is_no_stream_has_no_size():
    assert read_head(b"") is None
    assert read_head(b"\xff\xd8\xff\xe0\x00\x02") is None
    assert read_head(b"\xff\x4f\xff\x51" + bytes(8)) is None


def test_a_lost_decoder_is_an_error_and_the_next_file_is_decoded(tmp_path, monkeypatch):
    data = compressed(FILES["image_0"], "JPEG-LS")
    path = write_files(tmp_path / "in", {"image_0": data})
    np.testing.assert_array_equal(read_ct(path).hu, HU[:1])
    send = decoder._send

    def send_to_the_dead(pipe, message):
        decoder._CHILD.process.kill()
        decoder._CHILD.process.wait()
        send(pipe, message)

    with monkeypatch.context() as patch:
        patch.setattr(decoder, "_send", send_to_the_dead)
        with pytest.raises(InputError, match="decoder crashed"):
            read_ct(path)
    np.testing.assert_array_equal(read_ct(path).hu, HU[:1])


def test_an_interrupted_answer_is_not_taken_for_the_next_file(tmp_path, monkeypatch):
    paths = [
        write_files(tmp_path / name, {"one": compressed(FILES[name], "JPEG-LS")})
        for name in ("image_0", "image_1")
    ]

    def interrupted(pipe, most):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(decoder, "_receive", interrupted)
        with pytest.raises(KeyboardInterrupt):
            read_ct(paths[0])
    np.testing.assert_array_equal(read_ct(paths[1]).hu, HU[1:2])


def test_a_decoder_lost_while_idle_is_started_again(tmp_path):
    path = write_files(tmp_path / "in", {"image_0": compressed(FILES["image_0"], "JPEG-LS")})
    read_ct(path)
    decoder._CHILD.process.kill()
    decoder._CHILD.process.wait()
    np.testing.assert_array_equal(read_ct(path).hu, HU[:1])


def test_a_decoder_that_hangs_is_ended(tmp_path, monkeypatch):
    path = write_files(tmp_path / "in", {"image_0": compressed(FILES["image_0"], "JPEG-LS")})
    read_ct(path)
    monkeypatch.setattr(decoder, "_receive", lambda pipe, most: decoder._exactly(pipe, 1 << 20))
    monkeypatch.setattr(decoder, "_SECONDS", 0.5)
    monkeypatch.setattr(decoder, "_SECONDS_PER_FRAME", 0.0)
    with pytest.raises(InputError, match="took too long"):
        read_ct(path)


def test_the_limit_holds_wherever_the_syntax_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("liverjax.io.dicom.file.MAX_INFLATED", 5000)
    dataset = pydicom.dcmread(io.BytesIO(*series_files(np.zeros((1, 64, 64), np.int16)).values()))
    dataset.file_meta.PrivateInformationCreatorUID = "1.2.3"
    dataset.file_meta.PrivateInformation = bytes(100_000)
    dataset.file_meta.ImplementationVersionName = "x" * 16
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    with pytest.raises(InputError, match="expected at most 5000 bytes when inflated, found more"):
        read_ct(write_files(tmp_path / "in", {"image_0": buffer.getvalue()}))


def test_a_deflated_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("liverjax.io.dicom.file.MAX_INFLATED", 5000)
    files = {
        "image_0": compressed(series_files(np.zeros((1, 64, 64), np.int16))["image_0"], "deflated")
    }
    with pytest.raises(InputError, match="expected at most 5000 bytes when inflated, found more"):
        read_ct(write_files(tmp_path / "in", files))
