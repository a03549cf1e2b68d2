"""`python -m simulator`: a node process that can be told to end from its first moment on, as CCF can.

As process 1 of a container it would not hear of a signal that it has no handler for, and loading takes a while.
"""

import os
import signal
from types import FrameType


def _leave(_signal: int, _frame: FrameType | None) -> None:
    os._exit(0)


for _name in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(_name, _leave)

from simulator.command_line import main  # noqa: E402 - only now

main()
