"""kill -9 at many moments of a training, and inside every kind of write: it goes on to the bits of one that was not killed."""

import csv
import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from campaigns.conftest import SETTINGS, parts_left
from campaigns.forks import Ended, Fork, Forks
from glocal.files import read_json, read_yaml
from glocal.weights.files import read
from tries import tries

FEW, MANY = 3, 100
MOMENTS = ("write", "fsync", "replace", "time", "time", "time")
WHOLE = {".safetensors": read, ".yaml": read_yaml, ".json": read_json}
"""By its suffix, what reads a file of glocal's, and raises where the file is not whole."""


def all_whole(folder: Path) -> None:
    """Reads every file below a folder that has its name; those of an unfinished write begin with a dot."""
    for path in folder.rglob("[!.]*"):
        if path.suffix in WHOLE:
            WHOLE[path.suffix](path)


def killed(start: Callable[..., Fork], *, rng: random.Random, whole_s: float) -> Ended:
    """How a command ended that was killed at a random moment of its time or of its writes; it may have ended before."""
    moment = rng.choice(MOMENTS)
    if moment != "time":
        return start(deadly=(moment, rng.randint(1, 60))).ended()
    fork = start()
    return fork.lives_for(rng.uniform(0, whole_s)) or fork.kill()


def same_in_the_end(start, resume, same, home: Path, n: int, *, seconds: float) -> str:
    """Kills a command, resumes it, kills half of those again, and asks that all end as the whole one; says how many did.

    start(home, **how), resume(folder, **how): forks of the command. same(folder): raises where the folder is another.
    """
    kills = 0
    for number in range(n):
        rng, place = random.Random(number), home / str(number)
        end = killed(lambda place=place, **how: start(place, **how), rng=rng, whole_s=seconds)
        again = 0
        while end.code:
            assert end.code == -9, end.text
            kills, again = kills + 1, again + 1
            folder = place / "x"
            all_whole(place)
            if not any((folder / name).exists() for name in ("run.yaml", "search.yaml")):  # nothing was started
                place = place.with_name(f"{place.name}b")
                go_on = lambda place=place, **how: start(place, **how)  # noqa: E731
            else:
                go_on = lambda folder=folder, **how: resume(folder, **how)  # noqa: E731
            once_more = again < 4 and rng.random() < 0.5
            end = killed(go_on, rng=rng, whole_s=seconds) if once_more else go_on().ended()
        same(place / "x")
        assert not parts_left(place)
    assert kills >= n // 3
    return f"{n} of {n} as the one that was not killed, after {kills} kills"


def timed(fork: Fork) -> float:
    begun = time.monotonic()
    fork.ended().well()
    return time.monotonic() - begun


# ---------------------------------------------------------------------------------------------------------- training


def results(folder: Path) -> dict:
    """The bits of a run, and its tables without what the clock decides."""
    weights = {which: read(folder / "weights" / f"{which}.safetensors").tensors for which in ("best", "last")}
    with (folder / "metrics.csv").open(newline="") as file:
        rows = [{k: v for k, v in row.items() if k not in ("time_s", "images_per_s")} for row in csv.DictReader(file)]
    return {"weights": weights, "metrics": rows, "predictions": (folder / "predictions.csv").read_text()}


def assert_same(ours: dict, theirs: dict) -> None:
    for which, tensors in theirs["weights"].items():
        assert ours["weights"][which].keys() == tensors.keys()
        for key, tensor in tensors.items():
            assert torch.equal(ours["weights"][which][key], tensor), (which, key)
    assert ours["metrics"] == theirs["metrics"]
    assert ours["predictions"] == theirs["predictions"]


@pytest.fixture(scope="session")
def shards(forks: Forks, pixels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pictures as tar files."""
    out = tmp_path_factory.mktemp("shards") / "shards"
    forks.run("shard", pixels, out, "--size-mb", 0.02).well()
    return out


FORMS = {"folder": (), "shards": (), "workers": ("--workers", 2), "longer": (), "restart": ()}


def train_and_kill(forks: Forks, form: str, source: Path, run: Path, home: Path, n: int) -> str:
    def start(place, **how):
        words = [*FORMS[form], "--output", place, "--name", "x"]
        if form in ("longer", "restart"):
            warm = ["--restart", "warm"] if form == "restart" else []
            return forks.start("train", "--resume", run, "--epochs", 6, *warm, "--output", place, "--name", "x", **how)
        return forks.start("train", source, *SETTINGS, *words, **how)

    def resume(folder, **how):
        return forks.start("train", "--resume", folder, **how)

    seconds = timed(start(home / "whole"))
    expected = results(home / "whole" / "x")
    return same_in_the_end(
        start, resume, lambda folder: assert_same(results(folder), expected), home, n, seconds=seconds
    )


@pytest.mark.slow
def test_a_few_kills_of_a_training_change_no_bit(forks, pixels, run, tmp_path):
    train_and_kill(forks, "folder", pixels, run, tmp_path, FEW)


@pytest.mark.slow
@pytest.mark.campaign
@pytest.mark.parametrize("form", FORMS)
def test_no_kill_of_a_training_changes_a_bit(forks, form, pixels, shards, run, tmp_path):
    source = shards if form == "shards" else pixels
    print(f"train, {form}: {train_and_kill(forks, form, source, run, tmp_path, tries(MANY))}")


# ----------------------------------------------------------------------------------------- studies, picks and searches

STUDY = """
question: Is a larger kernel better?
recipe: small
settings: {img_size: 16, epochs: 2, batch_size: 8, warmup_epochs: 0, crop: none}
arms:
  k3: convmixer_16_2_p2_k3_32
  k5: convmixer_16_2_p2_k5_32
"""
CANDIDATES = ",".join(f"convmixer_16_{depth}_p4_k{kernel}_32" for depth in (1, 2) for kernel in (3, 5))
MANY_RUNS = {
    "study": "--scale paper --seeds 2 --workers 1",
    "pick": f"--candidates {CANDIDATES} --epochs 2 --seeds 2 --finalists 2 --margin 20 --budget 3h --workers 1 "
    "--set img_size=16 --set batch_size=16 --set warmup_epochs=0 --set crop=none",
    "search": "--space glit_cifar_12_2 --strategy supernet --supernet-epochs 2 --candidates 12 --finalists 2 "
    "--finalist-epochs 2 --workers 1 --recipe small --val-fraction 0.25 --set population=4 --set calibration=16 "
    "--set img_size=16 --set warmup_epochs=0 --set batch_size=8",
}


def found(verb: str, folder: Path) -> object:
    """All that a folder says it found, without what the clock decides."""
    if verb == "search":
        tables = []
        for level in ("distribution", "details"):
            with (folder / level / "candidates.csv").open(newline="") as file:
                tables.append([[row["answers"], row["parents"], row["accuracy"]] for row in csv.DictReader(file)])
        winner = read(folder / "winner" / "weights.safetensors").tensors
        return tables, {key: tensor.numpy().tobytes() for key, tensor in winner.items()}
    values = json.loads((folder / f"{verb}.json").read_text())
    if verb == "study":
        return [(arm["name"], arm["accuracies"]) for arm in values["arms"]], values["verdicts"]
    names = ("name", "stage", "epochs", "accuracies", "difference", "interval", "curve")
    rows = [[row[name] for name in names] for row in values["candidates"]]
    return rows, values["pick"], [verdict["sentence"] for verdict in values["verdicts"]]


@pytest.mark.slow
@pytest.mark.campaign
@pytest.mark.parametrize("verb", MANY_RUNS)
def test_no_kill_of_many_runs_changes_their_table(forks, verb, pixels, tmp_path):
    (tmp_path / "kernels.yaml").write_text(STUDY)
    question = [tmp_path / "kernels.yaml"] if verb == "study" else []

    def start(place, **how):
        return forks.start(verb, *question, pixels, *MANY_RUNS[verb].split(), "--output", place, "--name", "x", **how)

    def resume(folder, **how):
        return forks.start(verb, "--resume", folder, **how)

    seconds = timed(start(tmp_path / "whole"))
    expected = found(verb, tmp_path / "whole" / "x")

    def same(folder):
        assert found(verb, folder) == expected

    print(f"{verb}: {same_in_the_end(start, resume, same, tmp_path, tries(MANY), seconds=seconds)}")
