"""How much memory did this process hold at most?"""

from pathlib import Path

__all__ = ["peak_mb"]


def peak_mb() -> float:
    """Most memory that this process held so far; NaN where the system does not tell.

    ``getrusage`` would not do: its maximum is inherited from the process that started this one.
    """
    status = Path("/proc/self/status")
    if not status.is_file():
        return float("nan")
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
