"""Real processes: a search that is killed at any moment ends with the table and the winner of one that was not; supernets on
two processes learn what they learn on one."""

import contextlib
import csv
import os
import random
import subprocess
import sys
import time

import pytest
import torch

from glocal.weights.files import read

pytestmark = pytest.mark.slow

KILLS = 20
ASKED = (
    "--space glit_cifar_12_2 --supernet-epochs 4 --candidates 24 --finalists 2 --finalist-epochs 2 --workers 2 --recipe small "
    "--val-fraction 0.25 --set population=8 --set calibration=64 --set img_size=16 --set warmup_epochs=0 --set batch_size=16"
)
ENV = {**os.environ, "OMP_NUM_THREADS": "1", "CI": "1"}


def glocal(*words):
    """A command that is not waited for."""
    command = [sys.executable, "-m", "glocal", *map(str, words)]
    return subprocess.Popen(command, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def finished(process):
    told, _ = process.communicate(timeout=900)
    assert process.returncode == 0, told.decode()


def table(folder):
    with (folder / "candidates.csv").open(newline="") as file:
        names = ("generation", "index", "origin", "answers", "parents", "accuracy")
        return [[row[name] for name in names] for row in csv.DictReader(file)]


def test_a_search_that_is_killed_again_and_again_ends_with_the_same_tables_and_winner(shades, tmp_path):
    """Each kill comes at a random moment of what is left; after 20 the last search may end."""
    asked = ("search", shades, *ASKED.split(), "--output", tmp_path, "--name")
    begun = time.monotonic()
    finished(glocal(*asked, "whole"))
    whole_s = time.monotonic() - begun
    rng, kills, searches = random.Random(0), 0, 0
    while kills < KILLS:
        searches += 1
        folder = tmp_path / f"killed{searches}"
        process = glocal(*asked, folder.name)
        while kills < KILLS and lives_for(process, rng.uniform(2, 0.7 * whole_s)):
            process.kill()  # and its workers go with it
            process.communicate()
            kills += 1
            if (folder / "search.yaml").exists():
                process = glocal("search", "--resume", folder)
            else:  # nothing was begun
                folder = folder.with_name(f"{folder.name}-again")
                process = glocal(*asked, folder.name)
        finished(process)
        for level in ("distribution", "details"):
            assert table(folder / level) == table(tmp_path / "whole" / level)
        ours, theirs = (read(f / "winner" / "weights.safetensors") for f in (folder, tmp_path / "whole"))
        assert same(ours, theirs)
    print(f"{kills} kills of {searches} searches")


def lives_for(process, seconds):
    """Whether a process is still there after so long."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=seconds)
        return False
    return True


def same(a, b):
    """Whether two files of weights hold the same to the bit; safetensors writes what it says of them in any order."""
    equal = all(torch.equal(tensor, b.tensors[key]) for key, tensor in a.tensors.items())
    return equal and a.tensors.keys() == b.tensors.keys() and a.meta == b.meta


PROGRAM = """
import sys, torch
from pathlib import Path
from dataclasses import replace
from glocal.data import check
from glocal.design import adapt
from glocal.families.spaces import space
from glocal.searching.judging import Judge
from glocal.searching.oneshot import Paths, start, train_supernet
from glocal.searching.pictures import Resident, calibration, search_data
from glocal.searching.supernet import Supernet
from glocal.training.engine import Machine
from glocal.training.folder import RunFolder
from glocal.training.log import Log
from glocal.training.loop import Job
from glocal.training.recipe import Recipe
from glocal.training.recipes import recipe
from glocal.training.signals import Stop
from glocal.weights.files import save

pictures, folder, sharing = sys.argv[1:]
told = recipe("small").merged(dict(epochs=3, batch_size=16, warmup_epochs=0, img_size=16, opt="sgd", lr=0.02, drop_path=0.0))
machine = Machine.start("cpu")
data = search_data(check(pictures, seed=0, val_fraction=0.25).opened(), seed=0)
asked = adapt(space("glit_cifar_12_2_nlp"), classes=2, size=16, drop_path=0.0)  # no batch norms, whose batches differ
run = RunFolder(Path(folder))
if machine.main:
    run.begin({"settings": told.model_dump(mode="json")}, asked, data.manifest())
machine.gathered(None)
torch.manual_seed(0)
supernet, paths, preprocess = Supernet(asked, sharing=sharing), Paths(asked, seed=0), told.preprocess((16, 16))
judge = Judge(supernet, *(Resident.of(split, preprocess) for split in (data.val, calibration(data, 32, seed=0))))
log = Log(run if machine.main else None, epochs=3, val_size=len(data.val), console=None)
with Stop().listening() as stop, log:
    job = Job(data, told, preprocess, machine, run, log, stop, path=lambda step: supernet.path(paths.at(step)))
    train_supernet(start(supernet, told, machine=machine, run=run), job, judge=judge, watched=paths.watched(3))
if machine.main:
    save(run.path / "supernet.safetensors", supernet.state_dict(), meta={})
"""


@pytest.mark.parametrize("sharing", ["independent", "entangled"])
def test_two_processes_take_the_same_paths_and_learn_what_one_learns(shades, tmp_path, sharing):
    (tmp_path / "program.py").write_text(PROGRAM)
    several = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    for name, launch in (("one", []), ("two", several)):
        words = [sys.executable, *launch, str(tmp_path / "program.py"), str(shades), str(tmp_path / name), sharing]
        done = subprocess.run(words, env=ENV, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
    one, two = (read(tmp_path / name / "supernet.safetensors").tensors for name in ("one", "two"))
    moved = 0
    for key, tensor in one.items():
        torch.testing.assert_close(two[key], tensor, atol=1e-5, rtol=1e-4)
        moved += int((tensor != tensor.flatten()[0]).any())
    assert moved > 10
