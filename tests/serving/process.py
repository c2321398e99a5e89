"""`glocal serve` as a process of its own, as people run it."""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO


@dataclass(frozen=True)
class Running:
    """A server that listens."""

    process: subprocess.Popen[str]
    port: int
    name: str
    log_file: IO[str]

    def log(self) -> list[dict]:
        """The lines of its log so far."""
        self.log_file.seek(0)
        return [json.loads(line) for line in self.log_file]

    def memory_bytes(self) -> int:
        """Its resident memory."""
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def processor_s(self) -> float:
        """Seconds of a processor that it has used."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            user, system = file.read().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def serving(*words: object) -> Iterator[Running]:
    """Runs `glocal serve` with these words; the block begins when it listens, and it is killed at the end if it still runs."""
    command = [sys.executable, "-m", "glocal", "serve", *map(str, words)]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            line = process.stdout.readline()
            if not (found := re.match(r"(\S+): http://\S+:(\d+) ", line)):
                log.seek(0)
                raise AssertionError(f"it does not listen: {line}{log.read()}")
            yield Running(process, int(found[2]), found[1], log)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
