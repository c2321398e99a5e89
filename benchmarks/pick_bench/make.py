"""Makes the table that benchmarks/pick.py replays: every candidate trained in full, and what it predicts after each epoch.

    python benchmarks/pick_bench/make.py cifar=FOLDER digits --work /tmp/pick_bench [--seeds 2]

FOLDER has train, val and test with pictures of 32 pixels in folders of classes. Each training is one file in the work folder, so
the command may be killed at any moment and run again, and several may run at once; `table.npz` beside this file is written when
nothing is missing. It takes about 40 minutes of one core for two seeds.

Each candidate is trained to the horizon, with predictions after each epoch, and with the first seed also to a third of it,
with a schedule of its own. So it can be asked whether a schedule that is stopped ranks the candidates as well as one that has
ended. Seconds are of the processor, not of the clock. The test split is evaluated once, after the horizon; no policy sees it.
"""

import argparse
import fcntl
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from glocal.artifacts.run_folder import RunFolder
from glocal.comparing.arms import training_subset
from glocal.data import Data, Preprocess, Split, check
from glocal.evaluation.scores import score
from glocal.machine.processes import Machine
from glocal.machine.signals import Stop
from glocal.monitoring.log import Log
from glocal.picking.candidates import SMALL_NETWORKS, Candidate, build_all
from glocal.picking.recipe import shared_recipe, with_horizon
from glocal.recipes.schema import Recipe
from glocal.runs.starting_point import StartingPoint
from glocal.training.loop import Job, steps_per_epoch, train_epoch
from glocal.training.state import State

TABLE = Path(__file__).parent / "table.npz"
HORIZONS = {"cifar": 9, "digits": 18}
RECIPES = {"cifar": {"batch_size": 64, "img_size": 32}, "digits": {"batch_size": 64, "img_size": 16}}


@dataclass(frozen=True)
class Training:
    """One training, and the file that it leaves."""

    candidate: Candidate
    data: Data
    recipe: Recipe
    file: Path
    opens_test: bool  # at the end; only the training to the horizon does


def pictures(name: str, source: str) -> Data:
    """2,000 training pictures of CIFAR-10, 1,000 held out and 3,000 of the test split; of the digits 700, 400 and 697."""
    data = check(source, seed=0).require_data()
    if name == "digits":
        order = np.random.default_rng(0).permutation(len(data.train) + len(data.val))
        whole = _joined(data.train, data.val)
        train, val, test = (whole.taken(np.sort(part)) for part in np.split(order, [700, 1100]))
        return replace(data, train=train, val=replace(val, name="val"), test=replace(test, name="test"))
    assert data.test is not None
    val, test = _drawn(data.val, 1000), _drawn(data.test, 3000)
    return training_subset(replace(data, val=val, test=test), per_class=200, share=1.0)


def _drawn(split: Split, n: int) -> Split:
    return split.taken(np.sort(np.random.default_rng(0).permutation(len(split))[:n]))


def _joined(first: Split, second: Split) -> Split:
    assert first.pixels is not None
    assert second.pixels is not None
    return replace(
        first,
        labels=np.concatenate([first.labels, second.labels]),
        rows=first.rows + second.rows,
        pixels=first.pixels + second.pixels,
        groups=None,
    )


def train(training: Training) -> None:
    """Trains to the end of the recipe and writes the file: correctness of each picture and seconds, epoch by epoch."""
    data, recipe = training.data, training.recipe
    machine = Machine(torch.device("cpu"), checkpoint_s=1e9)
    start = StartingPoint(data, training.candidate.architecture, recipe)
    network, _ = start.network()
    state = State.start(network, recipe, machine)
    log = Log(None, epochs=recipe.total_epochs, val=data.val, console=None)
    job = Job(data, recipe, start.preprocess, machine, RunFolder(training.file.parent), log, Stop())
    steps, right, train_s, val_s = steps_per_epoch(job), [], [], []
    for epoch in range(recipe.total_epochs):
        at = time.process_time()
        train_epoch(state, job, epoch=epoch, start=0, steps=steps)
        trained = time.process_time()
        right.append(_right(state, data.val, data=data, preprocess=start.preprocess, machine=machine))
        train_s.append(trained - at)
        val_s.append(time.process_time() - trained)
    test = np.zeros(0, bool)
    if training.opens_test:
        test = _right(state, data.test, data=data, preprocess=start.preprocess, machine=machine)
    part = training.file.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(
            file, right=np.packbits(right, axis=1), test=np.packbits(test), train_s=train_s, val_s=val_s
        )
    part.rename(training.file)


def _right(state: State, split: Split | None, *, data: Data, preprocess: Preprocess, machine: Machine) -> np.ndarray:
    assert split is not None
    found = score(state.evaluated, split, classes=data.classes, preprocess=preprocess, machine=machine).predictions
    assert found
    return found.predicted == found.truth


def write_table(work: Path, sets: dict[str, tuple[Data, Recipe, list[Candidate]]], *, seeds: int) -> None:
    """Gathers what is there into one file: candidates that have their first seed in full, and of those the seeds that all have.
    Arrays by data set and horizon, (candidates, seeds, epochs, packed pictures)."""
    arrays: dict[str, np.ndarray] = {}
    about = {}
    for name, (data, _, candidates) in sets.items():
        horizon = HORIZONS[name]
        found = [c for c in candidates if files(work, name, [c], seeds=1, epochs=horizon)[0][0].exists()]
        for epochs in (horizon, horizon // 3):
            rows = files(work, name, found, seeds=seeds, epochs=epochs)
            complete = [column for column in zip(*rows, strict=True) if all(file.exists() for file in column)]
            if not complete:
                continue
            trained = [[np.load(file) for file in row] for row in zip(*complete, strict=True)]
            for key in ("right", "train_s", "val_s", *(["test"] if epochs == horizon else [])):
                stacked = np.stack([[each[key] for each in row] for row in trained])
                arrays[f"{name}.{epochs}.{key}"] = stacked.astype(np.float32) if key.endswith("_s") else stacked
        about[name] = {
            "candidates": [c.name for c in found],
            "params": [c.cost.params for c in found],
            "macs": [c.cost.macs for c in found],
            "horizon": horizon,
            "pictures": {"train": len(data.train), "val": len(data.val), "test": len(data.test or ())},
        }
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    with TABLE.with_suffix(".part").open("wb") as out:
        np.savez_compressed(out, allow_pickle=False, **arrays)
    TABLE.with_suffix(".part").rename(TABLE)
    shapes = {key: value.shape for key, value in arrays.items() if key.endswith("right")}
    print(f"{TABLE}: {TABLE.stat().st_size:,} bytes, {shapes}", flush=True)


def files(work: Path, name: str, candidates: list[Candidate], *, seeds: int, epochs: int) -> list[list[Path]]:
    """Where the trainings of a length leave what they found: a row a candidate."""
    chosen = range(seeds) if epochs == HORIZONS[name] else range(1)
    return [[work / name / f"{c.name}-{seed}-{epochs}.npz" for seed in chosen] for c in candidates]


def train_missing(sources: dict[str, tuple[Data, Recipe, list[Candidate]]], work: Path, *, seeds: int) -> bool:
    """Trains what no other process trains now, seed by seed; whether nothing is missing at the end."""
    wanted = []
    for name, (data, recipe, candidates) in sources.items():
        horizon = HORIZONS[name]
        for epochs in (horizon, horizon // 3):
            for candidate, row in zip(
                candidates, files(work, name, candidates, seeds=seeds, epochs=epochs), strict=True
            ):
                for seed, to in enumerate(row):
                    own = with_horizon(recipe, epochs).merged({"seed": seed})
                    wanted.append(
                        ((seed, epochs < horizon), Training(candidate, data, own, to, opens_test=epochs == horizon))
                    )
    for _, training in sorted(wanted, key=lambda each: each[0]):
        with training.file.with_suffix(".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if not training.file.exists():
                started = time.process_time()
                train(training)
                print(f"{training.file.name}: {time.process_time() - started:.1f} s", flush=True)
    return all(training.file.exists() for _, training in wanted)


def main() -> None:
    """Trains whatever is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+", help="cifar=FOLDER or digits")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument(
        "--gather", action="store_true", help="train nothing; write the table of the seeds that are complete"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    sources = {text.partition("=")[0]: text.partition("=")[2] or text for text in options.sources}
    found: dict[str, tuple[Data, Recipe, list[Candidate]]] = {}
    for name, source in sources.items():
        data = pictures(name, source)
        recipe = shared_recipe(name, data.typical_size, settings=RECIPES[name])
        built, refused = build_all(SMALL_NETWORKS, classes=10, channels=len(recipe.mean), size=recipe.img_size)
        print(f"{name}: {len(built)} candidates; refused: {', '.join(each.name for each in refused) or 'none'}")
        found[name] = data, recipe, list(built)
        (options.work / name).mkdir(parents=True, exist_ok=True)
    if options.gather or train_missing(found, options.work, seeds=options.seeds):
        write_table(options.work, found, seeds=options.seeds)


if __name__ == "__main__":
    main()
