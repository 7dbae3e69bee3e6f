"""What compressed frames say of themselves, read before anything is decoded."""

from typing import NamedTuple

# Markers of JPEG and JPEG-LS that begin a frame (ITU-T T.81 table B.1, T.87), and JPEG 2000's
# start and size (T.800 A.4.1 and A.5.1).
_JPEG_START = b"\xff\xd8"
_JPEG_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_STAND_ALONE = {0x01, *range(0xD0, 0xD9)}
_J2K_START = b"\xff\x4f\xff\x51"


class FrameHead(NamedTuple):
    """Size of a frame, samples per pixel, and bits of a sample."""

    rows: int
    columns: int
    samples: int
    bits: int


def read_head(data: bytes) -> FrameHead | None:
    """What a JPEG, JPEG-LS or JPEG 2000 codestream begins with.

    None where it is none of them or ends before it says so.
    """
    if data[:4] == _J2K_START and len(data) >= 43:
        # Size of the reference grid less the image's offset on it.
        right, bottom, left, top = (_number(data[at : at + 4]) for at in (8, 12, 16, 20))
        bits = (data[42] & 0x7F) + 1  # the highest bit tells signed from unsigned
        return FrameHead(bottom - top, right - left, _number(data[40:42]), bits)
    if data[:2] == _JPEG_START:
        return _jpeg_head(data)
    return None


def _jpeg_head(data: bytes) -> FrameHead | None:
    at = 2
    while at + 10 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in _STAND_ALONE:
            at += 2
        elif marker in _JPEG_FRAMES:
            rows, columns = _number(data[at + 5 : at + 7]), _number(data[at + 7 : at + 9])
            return FrameHead(rows, columns, data[at + 9], data[at + 4])
        else:
            at += 2 + max(_number(data[at + 2 : at + 4]), 2)
    return None


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")
