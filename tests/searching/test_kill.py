"""Real processes: a search that is killed at any moment ends with the table and the winner of one that was not; supernets on
two processes learn what they learn on one."""

import csv
import shutil
import subprocess
import sys
import time

import pytest
import torch

from glocal.weights.files import read
from killing import ENV, finished, glocal, killed_again_and_again
from tries import tries

pytestmark = pytest.mark.slow

KILLS = tries(20)
SETTINGS = "--recipe small --val-fraction 0.25 --set img_size=16 --set warmup_epochs=0 --set batch_size=16"
SUPERNET = (
    "--space glit_cifar_12_2 --strategy supernet --supernet-epochs 4 --candidates 24 --finalists 2 --finalist-epochs 2 "
    "--workers 2 --set population=8 --set calibration=64"
)
RACE = "--space glit_cifar_12_2_distribution --levels one --finalists 3 --finalist-epochs 4 --set drop_path=0"
SEARCHES = {
    "supernet": (SUPERNET, ("distribution", "details")),
    "guided": (f"{RACE} --strategy guided --workers 4", ("one",)),
    "halving": (f"{RACE} --strategy halving --workers 2", ("one",)),
    "asha": (
        f"{RACE} --strategy asha --workers 1",
        ("one",),
    ),  # with several, what it decides depends on which is quick
}
"""By strategy, the flags of a small search and the names of its levels."""


def table(folder):
    with (folder / "candidates.csv").open(newline="") as file:
        names = ("generation", "index", "origin", "answers", "parents", "accuracy")
        return [[row[name] for name in names] for row in csv.DictReader(file)]


@pytest.mark.parametrize("strategy", SEARCHES)
def test_a_search_that_is_killed_again_and_again_ends_with_the_same_tables_and_winner(shades, tmp_path, strategy):
    """Each kill comes at a random moment of what is left; after the last one the last search may end."""
    flags, levels = SEARCHES[strategy]
    words = ("search", shades, *flags.split(), *SETTINGS.split(), "--output", tmp_path, "--name")
    begun = time.monotonic()
    finished(glocal(*words, "whole"))
    whole_s = time.monotonic() - begun

    def resume(folder):
        begun = (folder / "search.yaml").exists()
        if not begun:  # nothing of it is kept
            shutil.rmtree(folder, ignore_errors=True)
        return glocal("search", "--resume", folder) if begun else glocal(*words, folder.name)

    searches = killed_again_and_again(
        lambda number: tmp_path / f"killed{number}", resume, kills=KILLS, first_s=2, last_s=0.7 * whole_s
    )
    for folder, kills in searches:
        for level in levels:
            assert table(folder / level) == table(tmp_path / "whole" / level)
        ours, theirs = (read(f / "winner" / "weights.safetensors") for f in (folder, tmp_path / "whole"))
        assert same(ours, theirs)
        print(f"{kills} kills, the last of {folder.name}")


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
from glocal.searching.supernet.evaluator import PathEvaluator
from glocal.searching.supernet.paths import UniformPaths, monitored, trained_paths
from glocal.searching.supernet.training import start, train_supernet
from glocal.searching.search_data import CachedSplit, calibration, search_data
from glocal.searching.supernet.supernet import Supernet
from glocal.machine.processes import Machine
from glocal.artifacts.run_folder import RunFolder
from glocal.monitoring.log import Log
from glocal.training.loop import Job
from glocal.recipes.schema import Recipe
from glocal.recipes import recipe
from glocal.machine.signals import Stop
from glocal.weights.files import save

pictures, folder, sharing = sys.argv[1:]
settings = recipe("small").merged(dict(epochs=3, batch_size=16, warmup_epochs=0, img_size=16, opt="sgd", lr=0.02, drop_path=0.0))
machine = Machine.start("cpu")
data = search_data(check(pictures, seed=0, val_fraction=0.25).require_data(), seed=0)
space_16 = adapt(space("glit_cifar_12_2_nlp"), classes=2, size=16, drop_path=0.0)  # no batch norms, whose batches differ
run = RunFolder(Path(folder))
if machine.main:
    run.start({"settings": settings.model_dump(mode="json")}, space_16, data.manifest())
machine.gathered(None)
torch.manual_seed(0)
supernet, paths, preprocess = Supernet(space_16, sharing=sharing), UniformPaths(space_16, seed=0), settings.preprocess((16, 16))
evaluator = PathEvaluator(supernet, *(CachedSplit.of(split, preprocess) for split in (data.val, calibration(data, 32, seed=0))))
log = Log(run if machine.main else None, epochs=3, val=data.val, console=None)
with Stop().listening() as stop, log:
    job = Job(data, settings, preprocess, machine, run, log, stop, paths=trained_paths(supernet, paths))
    state = start(supernet, settings, machine=machine, run=run)
    train_supernet(state, job, evaluator=evaluator, monitored=monitored(space_16, seed=0, n=3))
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
