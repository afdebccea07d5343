"""Peak memory of this process: the largest resident size so far, as the system counts it."""

import resource
import sys
from pathlib import Path

__all__ = ["peak_bytes"]


def peak_bytes() -> int:
    """Largest resident size of this process so far, in bytes.

    On Linux it does not use ``getrusage``: a process inherits the maximum of the one that started it, so in a large
    test run every small process would seem to need as much.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
