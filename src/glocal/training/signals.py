"""How a run answers Ctrl-C, a scheduler's SIGTERM or a warning of pre-emption: it ends the step, writes the state, and goes."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from glocal.errors import Stopped
from glocal.training.engine import Machine

HEARD = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGXCPU") if hasattr(signal, name)
)
"""SIGTERM is what schedulers send before SIGKILL; SLURM's --signal and others warn with SIGUSR1, SIGUSR2 or SIGXCPU."""


class Stop:
    """Whether somebody wishes the run to stop. A second Ctrl-C does not wait for the step."""

    def __init__(self) -> None:
        self.asked = 0  # number of the signal

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.asked == signal.SIGINT == number:
            raise KeyboardInterrupt
        self.asked = number

    @contextmanager
    def listening(self) -> Iterator["Stop"]:
        """Hears signals inside, and leaves the handlers as they were. Only the main thread of a process can hear."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {number: signal.signal(number, self._hear) for number in HEARD}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def obey(self, machine: Machine, *, step: int, run: Path) -> None:
        """Raises Stopped where any process was asked to; the state of `step` has been written."""
        asked = max(machine.gathered(self.asked))
        if asked:
            raise Stopped(asked, f"after step {step:,}, whose state is written; to go on: glocal train --resume {run}")
