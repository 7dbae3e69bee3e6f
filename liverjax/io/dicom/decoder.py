"""Decodes JPEG, JPEG-LS and JPEG 2000 in a process of its own.

Damaged streams can end the process that GDCM decodes them in, and no `except` helps against that.
One child serves all files, one after the other, and is started again after it was lost. It is
given a DICOM file and gives back the stored values; nothing is pickled, and it is this module that
runs there: `python -m liverjax.io.dicom.decoder`.
"""

import atexit
import contextlib
import io
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

import numpy as np
import pydicom
from pydicom.pixels import get_decoder

_SECONDS, _SECONDS_PER_FRAME, _MOST_SECONDS = 8.0, 2.0, 300.0
_LONGEST_MESSAGE = 1 << 12
_CHILD_BYTES = 4 << 30
_LENGTH = 8
_FINE, _FAILED = b"+", b"-"


class _Child:
    """The process, started when it is first needed."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.lock = threading.Lock()

    def ask(self, data: bytes, seconds: float, most: int) -> tuple[bytes, bytes] | None:
        """Sends a file and waits for an answer of at most so many bytes.

        None where the process was lost, or took too long.
        """
        with self.lock:
            if self.process is not None and self.process.poll() is not None:
                self.stop()  # lost since the last file, which is not this one's fault
            process = self.process or self.start()
            assert process.stdin is not None
            assert process.stdout is not None
            watch = threading.Timer(seconds, process.kill)
            watch.start()
            try:
                _send(process.stdin, data)
                kind = process.stdout.read(1)
                return kind, _receive(process.stdout, most)
            except BaseException as error:
                # Whatever it was, its answer must not be taken for that of the next file.
                self.stop()
                if isinstance(error, OSError | EOFError):
                    return None
                raise
            finally:
                watch.cancel()

    def start(self) -> "subprocess.Popen[bytes]":
        """Starts the process; its messages of damage are noise beside the error that follows."""
        # From the package's own place, and never from the working folder, which may hold anything.
        places = [str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, places))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        return self.process

    def stop(self) -> None:
        """Ends the process, if there is one."""
        process, self.process = self.process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        process.wait()


_CHILD = _Child()
atexit.register(_CHILD.stop)
if hasattr(os, "register_at_fork"):
    # Two that talk to one child would take each other's answers.
    os.register_at_fork(after_in_child=_CHILD.__init__)  # type: ignore[misc]


def decode(data: bytes, frames: int, size: int) -> bytes:
    """Stored values of all frames of a compressed DICOM file, one after the other.

    Args:
        data: the file.
        frames: how many there are; the first has ten seconds, each other adds two, up to five
            minutes in all.
        size: bytes of them all.

    Returns:
        Little-endian integers of the file's BitsAllocated and PixelRepresentation.

    Raises:
        ValueError: they cannot be decoded.
    """
    seconds = min(_SECONDS + frames * _SECONDS_PER_FRAME, _MOST_SECONDS)
    answered = _CHILD.ask(data, seconds, max(size, _LONGEST_MESSAGE))
    if answered is None:
        raise ValueError("the decoder crashed or took too long")
    kind, answer = answered
    if kind != _FINE:
        raise ValueError(answer.decode("utf-8", "replace"))
    if len(answer) != size:
        raise ValueError(f"expected {size} bytes, decoded {len(answer)}")
    return answer


def _send(pipe: IO[bytes], data: bytes) -> None:
    pipe.write(len(data).to_bytes(_LENGTH, "little"))
    pipe.write(data)
    pipe.flush()


def _receive(pipe: IO[bytes], most: int) -> bytes:
    """What `_send` sent; raises EOFError where the other side is gone, or says too much."""
    size = int.from_bytes(_exactly(pipe, _LENGTH), "little")
    if size > most:
        raise EOFError
    return _exactly(pipe, size)


def _exactly(pipe: IO[bytes], count: int) -> bytes:
    data = pipe.read(count)
    if len(data) != count:
        raise EOFError
    return data


def _decode_here(data: bytes) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(data))
    kind = "i" if dataset.PixelRepresentation == 1 else "u"
    stored = np.dtype(f"<{kind}{dataset.BitsAllocated // 8}")
    decoder = get_decoder(dataset.file_meta.TransferSyntaxUID)
    frames = []
    # Not as arrays, in which pydicom 3 cannot mend the sign of JPEG-LS.
    for values, form in decoder.iter_buffer(dataset, decoding_plugin="gdcm"):
        found = np.dtype(f"<{kind}{int(form['bits_allocated']) // 8}")
        frames.append(np.frombuffer(values, found).astype(stored).tobytes())
    return b"".join(frames)


def _limit_this_process() -> None:
    """Bounds its memory, and keeps a crash from leaving a patient's data in a core file."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (_CHILD_BYTES, _CHILD_BYTES))


def _serve() -> None:
    """Answers until the other side closes the pipe."""
    _limit_this_process()
    while True:
        try:
            data = _receive(sys.stdin.buffer, _CHILD_BYTES)
        except EOFError:
            return
        try:
            kind, answer = _FINE, _decode_here(data)
        except Exception as error:  # pydicom and GDCM have no common class
            # pydicom gives the reason of each plug-in in a line of its own, after one without any.
            reason = str(error).strip().rpartition("\n")[2].strip()[:200] or type(error).__name__
            kind, answer = _FAILED, reason.encode()
        sys.stdout.buffer.write(kind)
        _send(sys.stdout.buffer, answer)


if __name__ == "__main__":
    _serve()
