"""Takes a superuser's exemption from file permissions away."""

import contextlib
import ctypes
import os
from collections.abc import Iterator


@contextlib.contextmanager
def powerless() -> Iterator[None]:
    """Within it, file permissions bind this thread, and the threads it starts, even if the user is root (Linux)."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3 of the call, this thread
    held, less = (ctypes.c_uint32 * 6)(), (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice
    assert libc.capget(header, held) == 0
    less[:] = held[:]
    less[0] &= ~0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, no longer effective
    assert libc.capset(header, less) == 0
    try:
        yield
    finally:
        assert libc.capset(header, held) == 0
