"""What long work leaves behind: memory, descriptors, threads, processes and temporary files stay as they were."""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from campaigns.conftest import SETTINGS, open_descriptors
from campaigns.test_requests import answer
from campaigns.test_stops import listening
from tries import tries

STEPS, REQUESTS = 2000, 1000
MIB = 2**20


@dataclass(frozen=True)
class Use:
    """What a process has, and its children."""

    memory_bytes: int
    descriptors: int
    threads: int
    children: int
    temporary: int  # files in the folder for temporary ones

    @classmethod
    def of(cls, pid: int, temporary: Path) -> "Use":
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        files = sum(1 for _ in temporary.rglob("*"))
        return cls(pages * os.sysconf("SC_PAGE_SIZE"), open_descriptors(pid), threads(pid), len(children), files)


def threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def shared_memory() -> set[str]:
    return {name for name in os.listdir("/dev/shm") if name.startswith(("torch_", "sem.", "psm_"))}


def flat(uses: list[Use]) -> None:
    """Whether nothing grew from the second third to the last: memory may by 2 % and 16 MiB, which allocators keep."""
    third = len(uses) // 3
    early, late = uses[third : 2 * third], uses[-third:]
    for name in ("descriptors", "threads", "children", "temporary"):
        assert max(getattr(use, name) for use in late) <= max(getattr(use, name) for use in early), (name, early, late)
    most = max(use.memory_bytes for use in early)
    assert max(use.memory_bytes for use in late) <= 1.02 * most + 16 * MIB, (early, late)


@pytest.mark.slow
@pytest.mark.campaign
@pytest.mark.parametrize("workers", [None, 2])
def test_many_steps_of_training_leave_nothing_behind(forks, pixels, tmp_path, workers):
    epochs = max(3, tries(STEPS) // 4)  # of four steps each
    temporary, before = tmp_path / "tmp", shared_memory()
    temporary.mkdir()
    words = [*SETTINGS, "--epochs", epochs, "--checkpoint-seconds", 600, "--output", tmp_path, "--name", "x"]
    words += [] if workers is None else ["--workers", workers]
    fork = forks.start("train", pixels, *words, env={"TMPDIR": str(temporary)}, stuck_s=3600)
    uses: list[Use] = []
    while (end := fork.lives_for(0.3)) is None:
        if (tmp_path / "x" / "metrics.csv").exists():
            uses.append(Use.of(fork.pid, temporary))
    end.well()
    uses = uses[: -len(uses) // 10]  # the last moments write the report
    flat(uses)
    assert shared_memory() <= before
    assert not [*temporary.rglob("*")]
    first, last = uses[len(uses) // 3], uses[-1]
    print(
        f"{4 * epochs} steps, workers {workers}: {first.memory_bytes / MIB:.0f} MiB after a third, {last.memory_bytes / MIB:.0f} "
        f"at the end; {first.descriptors} descriptors, {last.descriptors} at the end"
    )


def served(forks, run, picture: bytes, temporary: Path, n: int) -> str:
    fork = forks.start("serve", run, "--port", 0, "--device", "cpu", env={"TMPDIR": str(temporary)}, stuck_s=3600)
    port, uses = listening(fork), []
    before_any = open_descriptors(fork.pid)
    for number in range(n):
        assert answer(port, picture).status == 200
        if number % max(1, n // 60) == 0:
            for _ in range(200):  # the server closes a connection a moment after the client has its answer
                if open_descriptors(fork.pid) <= before_any:
                    break
                fork.lives_for(0.01)
            uses.append(Use.of(fork.pid, temporary))
    flat(uses)
    fork.send(15)
    assert fork.ended(60).code == 0
    assert not [*temporary.rglob("*")]
    first, last = uses[len(uses) // 3], uses[-1]
    return (
        f"{n} requests: {first.memory_bytes / MIB:.1f} MiB after a third, {last.memory_bytes / MIB:.1f} at the end; "
        f"{last.descriptors} descriptors, {last.threads} threads"
    )


def test_requests_leave_nothing_behind(forks, run, pixels, tmp_path):
    served(forks, run, (pixels / "red" / "00.png").read_bytes(), tmp_path, 60)


@pytest.mark.slow
@pytest.mark.campaign
def test_many_requests_leave_nothing_behind(forks, run, pixels, tmp_path):
    print(served(forks, run, (pixels / "red" / "00.png").read_bytes(), tmp_path, tries(REQUESTS)))


@pytest.mark.slow
@pytest.mark.campaign
def test_killed_workers_leave_nothing_behind(forks, pixels, tmp_path):
    """Trainings that are killed while processes load pictures for them: those end too, and no shared memory stays."""
    before, temporary = shared_memory(), Path(tempfile.mkdtemp(prefix="glocal-"))
    n = tries(20)
    for number in range(n):
        words = [*SETTINGS, "--workers", 2, "--output", tmp_path / str(number), "--name", "x"]
        fork = forks.start("train", pixels, *words, env={"TMPDIR": str(temporary)})
        while fork.lives_for(0.02) is None and not (tmp_path / str(number) / "x" / "metrics.csv").exists():
            pass
        group = fork.pid
        fork.kill()
        for _ in range(200):
            if not any(True for pid in os.listdir("/proc") if pid.isdigit() and session_of(pid) == group):
                break
            fork.lives_for(0.1)
        else:
            raise AssertionError("processes that loaded pictures are still there after 20 s")
    assert shared_memory() <= before
    shutil.rmtree(temporary)
    print(f"{n} trainings killed: no process, no shared memory left")


def session_of(pid: str) -> int | None:
    """The session of a process that runs; None for one that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[3])
