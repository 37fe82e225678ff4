"""`python -m rockdove.bench.attended PARENT MODULE …`: runs the module until the process PARENT ends, however it ends."""

import ctypes
import os
import runpy
import signal
import sys
from typing import Final

_SIGNAL_AT_PARENTS_END: Final = 1  # PR_SET_PDEATHSIG of prctl(2)


def main() -> None:
    """PARENT is the id of the process that starts this one."""
    parent, *sys.argv = sys.argv[1:]
    ctypes.CDLL(None).prctl(_SIGNAL_AT_PARENTS_END, signal.SIGTERM)
    if os.getppid() == int(parent):  # else it had ended before
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
