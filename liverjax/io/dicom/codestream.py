"""What compressed frames say of their size, read before anything is decoded."""

# Markers of JPEG and JPEG-LS that begin a frame (ITU-T T.81 table B.1, T.87), and JPEG 2000's
# start and size (T.800 A.4.1 and A.5.1).
_JPEG_START = b"\xff\xd8"
_JPEG_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_STAND_ALONE = {0x01, *range(0xD0, 0xD9)}
_J2K_START = b"\xff\x4f\xff\x51"


def frame_size(data: bytes) -> tuple[int, int, int] | None:
    """Rows, columns and samples of a JPEG, JPEG-LS or JPEG 2000 codestream.

    None where it is none of them or ends before it says so.
    """
    if data[:4] == _J2K_START and len(data) >= 42:
        # Size of the reference grid less the image's offset on it.
        right, bottom, left, top = (
            int.from_bytes(data[at : at + 4], "big") for at in (8, 12, 16, 20)
        )
        return bottom - top, right - left, int.from_bytes(data[40:42], "big")
    if data[:2] == _JPEG_START:
        return _jpeg_size(data)
    return None


def _jpeg_size(data: bytes) -> tuple[int, int, int] | None:
    at = 2
    while at + 10 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in _STAND_ALONE:
            at += 2
        elif marker in _JPEG_FRAMES:
            rows, columns = (int.from_bytes(data[i : i + 2], "big") for i in (at + 5, at + 7))
            return rows, columns, data[at + 9]
        else:
            at += 2 + max(int.from_bytes(data[at + 2 : at + 4], "big"), 2)
    return None
