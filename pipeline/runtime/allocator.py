"""Freed memory: kept for the next allocation or returned to the system, as a job needs it.

glibc requests every array above 32 MB from the system, in a Dask worker far smaller ones too, and returns it when
freed. The system then clears each page at its first touch. A network frees and allocates such arrays at every layer:
the forward pass of four windows of 512 in U-Net with EfficientNet-B0 took 3.2 s on one core, half of it in the system,
and 4.6 s with the threshold of a Dask worker. It takes 1.8 s if freed memory is kept; peaks are 0.8 to 1.05 GB, before
0.85.
"""

import ctypes

__all__ = ["keep_freed", "release_freed"]

TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8
"""Numbers of the options in glibc's malloc.h."""
OPTIONS = {
    TRIM_THRESHOLD: 2**31 - 1,
    MMAP_THRESHOLD: 2**30,
    ARENA_MAX: 1,  # Arenas of other threads hold 64 MB at most and leave larger arrays to the system.
}


def keep_freed() -> None:
    """Ask the C library to keep freed memory (glibc; elsewhere nothing happens). Changes no value.

    Call it early: a thread that has allocated before keeps its own arena.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in OPTIONS.items():
            mallopt(ctypes.c_int(option), ctypes.c_int(value))


def release_freed() -> None:
    """Return freed memory that the C library keeps to the system (glibc; elsewhere nothing happens).

    The remains of an item, such as a small table, lie above its large arrays, and glibc keeps everything below them.
    With a thousand images on two threads that came to 1.5 GB, of which 0.4 GB were in use.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
