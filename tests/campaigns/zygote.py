"""A process that has imported glocal and forks a child for each command, so that a try costs the command and not the import.

It reads a line of JSON an order: {"words": [...], "output": PATH, ...} starts a command and answers its process number;
{"wait": PID, "seconds": S} answers its exit status, negative for a signal, and its most memory, or null
where it still runs.
"""

import faulthandler
import json
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import scipy.stats  # noqa: F401
import sklearn.metrics  # noqa: F401
import timm.data.mixup  # noqa: F401
import torch
import torch.utils.tensorboard

import glocal.cli.app
import glocal.files
import glocal.runs.longer
import glocal.runs.resume
import glocal.runs.train
from glocal.monitoring import plots

LIMITS = {
    "file_bytes": resource.RLIMIT_FSIZE,
    "memory_bytes": resource.RLIMIT_AS,
    "descriptors": resource.RLIMIT_NOFILE,
}


def deadly(moment: str, due: int) -> None:
    """Kills this process the `due`-th time that it comes to a moment: "write", "fsync" or "replace" of a file that is written
    whole. A write is killed with half of its bytes on the disk."""
    seen = 0

    def is_due() -> bool:
        nonlocal seen
        seen += 1
        return seen == due

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if moment == "write":

        class Half:
            def __init__(self, file: Any) -> None:
                self.file = file

            def __getattr__(self, name: str) -> Any:
                return getattr(self.file, name)

            def __enter__(self) -> "Half":
                return self

            def __exit__(self, *raised: object) -> None:
                self.file.close()

            def write(self, data: bytes) -> int:
                if is_due():
                    self.file.write(data[: len(data) // 2])
                    self.file.flush()
                    die()
                return self.file.write(data)

        def opened(path: Any, mode: str) -> Any:
            return Half(open(path, mode)) if mode == "xb" else open(path, mode)

        glocal.files.open = opened
        return
    real: Callable[..., Any] = getattr(os, moment)

    def replaced(*args: Any, **kwargs: Any) -> Any:
        if is_due():
            die()
        return real(*args, **kwargs)

    setattr(os, moment, replaced)


def child(order: dict[str, Any]) -> int:
    os.setsid()
    out = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number in (1, 2):
        os.dup2(out, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(order.get("env", {}))
    if "folder" in order:
        os.chdir(order["folder"])
    if "uid" in order:
        os.setuid(order["uid"])
    for name, most in order.get("limits", {}).items():
        resource.setrlimit(LIMITS[name], (most, most))
        if name == "file_bytes":
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    if moment := order.get("deadly"):
        deadly(*moment)
    if "clock" in order:
        jumps, real = random.Random(order["clock"]), time.time
        time.time = lambda: real() + jumps.choice((-86_400, 0, 86_400))
    faulthandler.dump_traceback_later(order.get("stuck_s", 250))
    plots.draw = lambda *a, **k: None  # takes longer than the run
    sys.argv = ["glocal", *order["words"]]
    if program := order.get("program"):
        exec(Path(program).read_text(), {"__name__": "__main__"})
        return 0
    try:
        glocal.cli.app.main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def fork(order: dict[str, Any]) -> int:
    sys.stdout.flush()
    if pid := os.fork():
        return pid
    code = 70  # an error without a name
    try:
        code = child(order)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def wait(pid: int, seconds: float) -> tuple[int, int] | None:
    """Exit status and the most memory that the process had, in bytes."""
    end = time.monotonic() + seconds
    while True:
        gone, status, used = os.wait4(pid, os.WNOHANG)
        if gone:
            return os.waitstatus_to_exitcode(status), used.ru_maxrss * 1024
        if time.monotonic() >= end:
            return None
        time.sleep(min(0.005, max(0.0, end - time.monotonic())))


def main() -> None:
    torch.set_num_threads(1)
    for line in sys.stdin:
        order = json.loads(line)
        answer = wait(order["wait"], order["seconds"]) if "wait" in order else fork(order)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
