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
    return subprocess.Popen([*command], stdout=output.open("a"), stderr=subprocess.STDOUT)


def final(folder):
    return {which: read(folder / "weights" / f"{which}.safetensors").tensors for which in ("best", "last")}


def test_killed_again_and_again_it_ends_in_the_same_bits(colours, tmp_path):
    log = tmp_path / "log.txt"
    start = time.monotonic()
    assert glocal(colours, *ARGUMENTS, "--output", tmp_path / "whole", output=log).wait() == 0, log.read_text()
    whole_s = time.monotonic() - start
    expected = final(tmp_path / "whole" / "x")

    rng, folder, kills = random.Random(0), tmp_path / "cut" / "x", 0
    process = glocal(colours, *ARGUMENTS, "--output", tmp_path / "cut", output=log)
    while True:
        try:
            process.wait(timeout=None if kills == 12 else whole_s * rng.uniform(0.4, 1.0))
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += (folder / "run.yaml").exists()
        words = (
            ("--resume", folder)
            if (folder / "data.json").exists()
            else (colours, *ARGUMENTS, "--output", tmp_path / "cut")
        )
        process = glocal(*words, output=log)
    assert process.returncode == 0, log.read_text()[-3000:]
    assert kills >= 3
    found = final(folder)
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
    cut = subprocess.run(
        [sys.executable, "-c", program, *words], stdout=log.open("a"), stderr=subprocess.STDOUT, check=False
    )
    assert cut.returncode == -signal.SIGKILL
    folder = tmp_path / "cut" / "x"
    assert glocal("--resume", folder, output=log).wait() == 0, log.read_text()[-3000:]
    expected, found = final(tmp_path / "whole" / "x"), final(folder)
    for which, tensors in expected.items():
        assert all(torch.equal(found[which][key], t) for key, t in tensors.items()), which
