"""Settings of the whole process that the commands make before anything else; a script may, too."""

import ctypes
import os
import sys

# Of glibc's malloc.h.
_ARENA_MAX, _MMAP_MAX, _TRIM_THRESHOLD = -8, -4, -1


def ask_for_equal_bits() -> None:
    """Keeps a GPU from choosing algorithms whose result depends on which thread comes first.

    Before the first use of JAX; what `XLA_FLAGS` says already is left.
    """
    given = os.environ.get("XLA_FLAGS", "")
    if "xla_gpu_deterministic_ops" not in given:
        os.environ["XLA_FLAGS"] = f"{given} --xla_gpu_deterministic_ops=true".strip()


def keep_freed_memory() -> None:
    """Has glibc keep what is freed for the next step instead of handing it back to the system.

    XLA asks for its working memory anew at every step, on a CPU a gigabyte of it, and a quarter of
    a step went into the pages that the system then has to clear and hand out again. Best called
    before other threads have started; does nothing where the C library is another one.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # musl has none
        for parameter, value in ((_ARENA_MAX, 1), (_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1)):
            mallopt(parameter, value)
