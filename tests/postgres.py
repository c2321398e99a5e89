"""A server of PostgreSQL that a test begins, kills and begins again, from what Debian installs; initdb runs for no root."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest


class Postgres:
    """A server in a folder of its own, on a free port."""

    def __init__(self, home: Path, programs: Path) -> None:
        self._home, self._programs = home, programs
        self._as_other = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.place = f"127.0.0.1:{free.getsockname()[1]}"

    def make(self, password: str | None) -> None:
        """Makes its files. password: of its user `postgres`; None where it asks for none."""
        word = self._home / "word"
        word.write_text(password or "")
        if self._as_other:
            for path in (self._home, word):
                shutil.chown(path, "postgres")
        asked = ("--auth", "scram-sha-256", f"--pwfile={word}") if password else ("--auth", "trust")
        self._call("initdb", *asked, "--encoding", "UTF8", "--username", "postgres")

    def start(self) -> None:
        """Starts it, also after a kill, of which its other processes end a moment later."""
        options = f"-p {self.place.rpartition(':')[2]} -k {self._home} -c listen_addresses=127.0.0.1"
        for tries_left in range(20, -1, -1):
            try:
                return self._call("pg_ctl", "-w", "-l", f"{self._home}/log", "-o", options, "start")
            except subprocess.CalledProcessError:
                if not tries_left:
                    raise
                time.sleep(0.5)
        return None

    def kill(self) -> None:
        """Ends it as a crash would."""
        os.kill(int((self._home / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)

    def stop(self) -> None:
        """Ends it."""
        with contextlib.suppress(subprocess.CalledProcessError):  # it was killed
            self._call("pg_ctl", "-m", "immediate", "stop")

    def _call(self, program: str, *arguments: str) -> None:
        command = [*self._as_other, self._programs / program, "-D", self._home / "data", *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")


@contextlib.contextmanager
def postgres_server(password: str | None = None) -> Iterator[Postgres]:
    """A server while the block runs; skips the test where PostgreSQL is not installed."""
    if not (found := sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))):
        pytest.skip("needs initdb and pg_ctl, as Debian's postgresql installs them")
    home = Path(tempfile.mkdtemp(prefix="glocal-"))
    server = Postgres(home, found[-1].parent)
    try:
        server.make(password)
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(home)
