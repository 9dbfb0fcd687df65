"""The peak memory of a process."""

import resource
import sys
from pathlib import Path


def peak() -> int:
    """Return the peak of this process in bytes; on Linux without that of the parent process."""
    try:
        lines = Path("/proc/self/status").read_text("ascii", "replace").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
