"""Commands of glocal as forked processes: started, waited for, killed, limited. The forking itself is in zygote.py."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from killing import ENV

LONGEST_S = 300.0


class Forks:
    """A process that forks one child for each command."""

    def __init__(self) -> None:
        program = Path(__file__).with_name("zygote.py")
        self._zygote = subprocess.Popen(
            [sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENV, text=True
        )
        self._folder = tempfile.TemporaryDirectory()
        self._started = 0

    @property
    def pid(self) -> int:
        """Of the process that forks."""
        return self._zygote.pid

    def start(self, *words: object, **how: Any) -> "Fork":
        """Starts `glocal WORDS`.

        how: `deadly` (moment, which time), `limits` {file_bytes, memory_bytes, descriptors}, `env`, `folder` to be in, `uid`.
        """
        self._started += 1
        output = Path(self._folder.name) / f"{self._started}.txt"
        return Fork(self, self.ask({"words": [*map(str, words)], "output": str(output), **how}), output)

    def run(self, *words: object, **how: Any) -> "Ended":
        """Runs `glocal WORDS` to its end."""
        return self.start(*words, **how).ended()

    def ask(self, order: dict[str, Any]) -> Any:
        self._zygote.stdin.write(json.dumps(order) + "\n")
        self._zygote.stdin.flush()
        return json.loads(self._zygote.stdout.readline())

    def close(self) -> None:
        self._zygote.terminate()  # the end of its input is no signal: a loading process may hold the other end of that pipe
        self._zygote.wait()
        self._zygote.stdin.close()
        self._zygote.stdout.close()
        self._folder.cleanup()


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code (negative for a signal) and what it wrote on both streams."""

    code: int
    text: str
    most_bytes: int  # of memory

    def well(self) -> "Ended":
        assert self.code == 0, self.text
        return self

    def is_named(self) -> bool:
        """Whether it ended with an error of glocal's, in words and without a traceback."""
        said = "Error: " in self.text or (self.code == 3 and "error: " in self.text)  # a check prints its faults
        return self.code in (1, 2, 3) and said and "Traceback" not in self.text


@dataclass(frozen=True)
class Fork:
    """A command that runs."""

    forks: Forks
    pid: int
    output: Path

    def lives_for(self, seconds: float) -> "Ended | None":
        """None where it still runs after so long."""
        found = self.forks.ask({"wait": self.pid, "seconds": seconds})
        return None if found is None else Ended(found[0], self.text(), found[1])

    def ended(self, seconds: float = LONGEST_S) -> Ended:
        """Waits for its end."""
        end = self.lives_for(seconds)
        if end is None:
            self.kill()
            raise AssertionError(f"still there after {seconds} s: {self.text()}")
        return end

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> Ended:
        """kill -9, of this process only; those that it started must end by themselves."""
        with contextlib.suppress(ProcessLookupError):
            self.send(signal.SIGKILL)
        return self.lives_for(LONGEST_S)

    def text(self) -> str:
        return self.output.read_text(errors="replace") if self.output.exists() else ""


def forking() -> Iterator[Forks]:
    """For a fixture."""
    forks = Forks()
    try:
        yield forks
    finally:
        forks.close()
