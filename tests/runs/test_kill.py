"""Real processes, killed at random moments and inside every kind of write, go on to the bits of the run that was not."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

TRIALS = 50

# Forked from a process that has only imported, since what is tested is the run and not the import of torch.
PROGRAM = """
import contextlib, os, random, signal, sys, time
from pathlib import Path
import scipy.stats, sklearn.metrics, timm.data, timm.data.mixup, torch.utils.tensorboard
import torch
import glocal
from glocal.training import state_files
from glocal.artifacts import run_folder as folder
from glocal.monitoring import plots
import glocal.runs.resume, glocal.runs.train
from glocal.weights import create, files
from glocal.weights.files import read

data, home, trials, verb = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
settings = dict(
    model="cct_2_3x2_32", img_size=16, epochs=4, batch_size=8, mixup=0.8, cutmix=1, ema=0.9, drop_path=0.1, reprob=0.3
)
torch.set_num_threads(1)
plots.draw = lambda *a, **k: None  # takes longer than the run

def train(output):
    place = dict(output=output, name="x", checkpoint_s=0.0, workers=1)
    if verb == "train":
        glocal.train(data, recipe="small", **settings, **place)
    else:
        glocal.resume(home / "finished" / "x", epochs=4, restart="warm" if verb == "restart" else None, **place)

def deadly(moment, due):
    '''Kills the process the `due`-th time that it comes to a moment.'''
    seen = 0
    def count():
        nonlocal seen
        seen += 1
        return seen == due
    def killed(call):
        def at(*a, **k):
            if count():
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*a, **k)
        return at
    class Half:
        def __init__(self, file):
            self.file = file
        def write(self, data):
            if count():
                self.file.write(data[: len(data) // 2])
                self.file.flush()
                os.kill(os.getpid(), signal.SIGKILL)
            self.file.write(data)
    @contextlib.contextmanager
    def halved(path, real=files.whole_file):
        with real(path) as file:
            yield Half(file)
    if moment == "write":
        files.whole_file = state_files.whole_file = folder.whole_file = halved
    else:
        setattr(os, moment, killed(getattr(os, moment)))

def forked(work):
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    try:
        work()
    except BaseException as error:
        print(repr(error), flush=True)
        os._exit(1)
    os._exit(0)

def ended(pid):
    return os.waitpid(pid, 0)[1]

def killed_after(pid, seconds):
    time.sleep(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    return ended(pid)

def final(where):
    return {w: read(where / "x" / "weights" / f"{w}.safetensors").tensors for w in ("best", "last")}

if verb != "train":
    finished = dict(settings, epochs=2)
    assert ended(forked(lambda: glocal.train(data, recipe="small", **finished, output=home / "finished", name="x"))) == 0
started = time.monotonic()
assert ended(forked(lambda: train(home / "whole"))) == 0
whole_s, expected, same, kills = time.monotonic() - started, final(home / "whole"), 0, 0
for trial in range(trials):
    rng, cut = random.Random(trial), home / f"cut{trial}"
    moment = rng.choice(["write", "fsync", "replace", "time", "time", "time"])
    def first():
        if moment != "time":
            deadly(moment, rng.randint(1, 60))
        train(cut)
    pid = forked(first)
    status = killed_after(pid, rng.uniform(0, whole_s)) if moment == "time" else ended(pid)
    kills += status != 0
    for again in range(9):
        if not (cut / "x" / "run.yaml").exists():  # killed before the run was started
            work = lambda: train(home / f"cut{trial}b")
            where = home / f"cut{trial}b"
        else:
            work, where = (lambda: glocal.resume(cut / "x")), cut
        pid = forked(work)
        status = killed_after(pid, rng.uniform(0.2, whole_s)) if again < 1 and rng.random() < 0.5 else ended(pid)
        if status == 0:
            break
        kills += 1
        if where != cut:
            cut = where
    found = final(where)
    left = [p for p in where.rglob(".*") if p.is_file()]
    agree = all(torch.equal(found[w][k], t) for w in expected for k, t in expected[w].items())
    same += agree and not left
    if not agree or left:
        print("trial", trial, moment, "differs" if agree is False else left, flush=True)
print(f"{same} of {trials} with the same bits, {kills} kills", flush=True)
sys.exit(same != trials or kills < trials // 2)
"""


@pytest.mark.parametrize(("verb", "trials"), [("train", TRIALS), ("longer", TRIALS // 2), ("restart", TRIALS // 2)])
def test_killed_at_random_moments_and_inside_writes_it_ends_in_the_same_bits(colours, tmp_path, verb, trials):
    words = [sys.executable, "-c", PROGRAM, str(colours), str(tmp_path), str(trials), verb]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
