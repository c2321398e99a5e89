"""How a run stops at Ctrl-C, a scheduler's SIGTERM or a warning of pre-emption: it ends the step, saves its state and exits."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from glocal.command_line import command
from glocal.errors import Stopped
from glocal.machine.processes import Machine

HANDLED = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGXCPU") if hasattr(signal, name)
)
"""Schedulers send SIGTERM before SIGKILL; SLURM's --signal and others warn with SIGUSR1, SIGUSR2 or SIGXCPU."""

TIME_OVER = 14
"""The number of SIGALRM, which Windows does not have."""


class Stop:
    """Whether a signal asked the run to stop, or its time is over. A second Ctrl-C does not wait for the end of the step.

    ends_at: of `time.time`; from then on the run is asked to stop as if SIGALRM had come.
    """

    def __init__(self, ends_at: float | None = None) -> None:
        self._received = 0
        self._ends_at = ends_at

    @property
    def requested(self) -> int:
        """Number of the signal; 0 for none."""
        over = self._ends_at is not None and time.time() >= self._ends_at
        return self._received or (TIME_OVER if over else 0)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._received == signal.SIGINT == number:
            raise KeyboardInterrupt
        self._received = number

    @contextmanager
    def listening(self) -> Iterator["Stop"]:
        """Handles signals inside the block, and restores the handlers after it. Only the main thread of a process can do so."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {number: signal.signal(number, self._handle) for number in HANDLED}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def raise_if_requested(self, machine: Machine, *, step: int, run: Path) -> None:
        """Raises Stopped where any process got a signal; the state of `step` has been saved."""
        number = max(machine.gathered(self.requested))
        if number:
            line = command("train", options=[("--resume", run)])
            raise Stopped(number, f"after step {step:,}, whose state is saved; to continue: {line}")
