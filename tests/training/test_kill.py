"""A real process, killed at random moments, resumes to the bits of the run that was not."""

import random
import signal
import subprocess
import sys
import time

import pytest
import torch

from glocal.weights.files import read

pytestmark = pytest.mark.slow

ARGUMENTS = (
    "--recipe small --model cct_2_3x2_32 --img-size 16 --epochs 4 --batch-size 8 --mixup 0.8 --cutmix 1 --ema 0.9 "
    "--drop-path 0.1 --set reprob=0.3 --checkpoint-seconds 0 --name x --workers 1"
).split()


def glocal(*words, output):
    command = [sys.executable, "-c", "from glocal.cli import main; main()", "train", *map(str, words)]
    with output.open("a") as file:
        return subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)


def final(folder):
    return {which: read(folder / "weights" / f"{which}.safetensors").tensors for which in ("best", "last")}


def ended_by_itself(process, state, *, after):
    """Kills a process once it has written its state `after` times more; True where it ended before."""
    seen, last = 0, state.stat().st_mtime_ns if state.exists() else 0
    while process.poll() is None:
        now = state.stat().st_mtime_ns if state.exists() else 0
        seen, last = seen + (now != last), now
        if seen > after:
            time.sleep(random.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
            process.wait()
            return False
        time.sleep(0.001)
    return True


def test_killed_again_and_again_it_ends_in_the_same_bits(colours, tmp_path):
    log, folder, kills = tmp_path / "log.txt", tmp_path / "cut" / "x", 0
    assert glocal(colours, *ARGUMENTS, "--output", tmp_path / "whole", output=log).wait() == 0, log.read_text()
    process = glocal(colours, *ARGUMENTS, "--output", tmp_path / "cut", output=log)
    while not ended_by_itself(process, folder / "state" / "last.pt", after=random.randint(0, 4)):
        kills += 1
        process = glocal("--resume", folder, output=log)
    assert process.returncode == 0, log.read_text()[-3000:]
    assert kills >= 3
    expected, found = final(tmp_path / "whole" / "x"), final(folder)
    for which, tensors in expected.items():
        assert all(torch.equal(found[which][key], t) for key, t in tensors.items()), which
    assert not [p for p in folder.rglob(".*") if p.is_file()], "a killed write left its part behind"


@pytest.mark.parametrize("moment", ["write", "fsync", "replace"])
def test_killed_inside_a_checkpoint_write_it_resumes_to_the_same_bits(colours, tmp_path, moment):
    log = tmp_path / "log.txt"
    assert glocal(colours, *ARGUMENTS, "--output", tmp_path / "whole", output=log).wait() == 0, log.read_text()
    # The process kills itself the ninth time it comes to the moment, whichever file it is writing then.
    program = f"""
import contextlib, os, signal
from glocal.cli import main
from glocal.training import checkpoint
seen = 0
def due():
    global seen
    seen += 1
    return seen == 9
def deadly(call):
    def killed(*a, **k):
        if due():
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*a, **k)
    return killed
class Half:
    def __init__(self, file):
        self.file = file
    def write(self, data):
        if due():
            self.file.write(data[: len(data) // 2])
            self.file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        self.file.write(data)
@contextlib.contextmanager
def halved(path, real=checkpoint.whole_file):
    with real(path) as file:
        yield Half(file)
if {moment!r} == "write":
    checkpoint.whole_file = halved
else:
    setattr(os, {moment!r}, deadly(getattr(os, {moment!r})))
main()
"""
    words = ["train", str(colours), *ARGUMENTS, "--output", str(tmp_path / "cut")]
    with log.open("a") as file:
        command = [sys.executable, "-c", program, *words]
        cut = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False)
    assert cut.returncode == -signal.SIGKILL
    folder = tmp_path / "cut" / "x"
    assert glocal("--resume", folder, output=log).wait() == 0, log.read_text()[-3000:]
    expected, found = final(tmp_path / "whole" / "x"), final(folder)
    for which, tensors in expected.items():
        assert all(torch.equal(found[which][key], t) for key, t in tensors.items()), which
