"""Commands that tests start, leave alone for a while and kill. Import it as `from killing import ...`."""

import contextlib
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ENV = {**os.environ, "OMP_NUM_THREADS": "1", "CI": "1"}
LONGEST_S = 90.0  # that a process lives before it is killed, so that a busy machine ends too


def glocal(*words: object) -> subprocess.Popen[bytes]:
    """A command that is not waited for."""
    command = [sys.executable, "-m", "glocal", *map(str, words)]
    return subprocess.Popen(command, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def finished(process: subprocess.Popen[bytes]) -> None:
    """Waits for a command, which must end well."""
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0, output.decode()


def lives_for(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether a process is still there after so long."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=seconds)
        return False
    return True


def killed_again_and_again(
    start: Callable[[int], Path],
    resume: Callable[[Path], subprocess.Popen[bytes]],
    *,
    kills: int,
    first_s: float,
    last_s: float,
) -> Iterator[tuple[Path, int]]:
    """Folders of commands that were each killed and resumed until they ended, with the kills so far.

    start: makes ready the folder of the command of a number, for `resume` to start or to continue.
    Each kill comes between `first_s` and `last_s` seconds after a start; it takes the workers of the process with it.
    """
    rng, done, number = random.Random(0), 0, 0
    while done < kills:
        number += 1
        folder = start(number)
        process = resume(folder)
        while done < kills and lives_for(process, rng.uniform(first_s, min(last_s, LONGEST_S))):
            process.kill()
            process.communicate()
            done += 1
            process = resume(folder)
        finished(process)
        yield folder, done
