"""How the C library's allocator treats pictures."""

import ctypes

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # malloc.h of glibc
_LARGE_BYTES = 4 * 1024 * 1024


def return_large_buffers() -> None:
    """Keep no more memory than is in use, as far as it is simple; only glibc needs telling.

    By default glibc raises its threshold with the sizes that it sees, up to 32 MB, and from then on
    keeps buffers of decoded pictures in its heaps: a flood of photos would leave the process at its
    peak for ever.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        # A heap for each of TensorFlow's threads would keep what each of them once needed.
        mallopt(_M_ARENA_MAX, 2)


def trim() -> None:
    """Give back what lies free in the heaps, as much does once a model is loaded."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)
