"""Trains supernets of the bench's space by every schedule, and notes which held-out pictures every path gets right.

    python -m benchmarks.nas_bench.supernets PICTURES --output FOLDER [--passes 12 36] [--seeds 2]

`passes` are epochs of one path: a schedule that trains four paths in each step has a quarter of the epochs for the same cost.
"""

import argparse
import time
from itertools import count
from pathlib import Path

import numpy as np
import torch
from benchmarks.nas_bench.pictures import Pictures, batches, load
from benchmarks.nas_bench.space import bench_space, every
from benchmarks.nas_bench.train import bench_recipe, correct
from torch import Tensor
from torch.nn import functional

from glocal.files import whole_file
from glocal.searching.supernet.evaluator import recalibrate
from glocal.searching.supernet.paths import FairPaths, PathSchedule, SandwichPaths, UniformPaths
from glocal.searching.supernet.supernet import Sharing, Supernet
from glocal.training.loop import seed_step
from glocal.training.mixing import loss
from glocal.training.optimizer import optimizer, set_rates

SCHEDULES = {"supernet": UniformPaths, "fair": FairPaths, "sandwich": SandwichPaths}
CALIBRATION = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--passes", type=int, nargs="+", default=[12, 36])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--sharing", default="independent")
    settings = parser.parse_args()
    torch.set_num_threads(1)
    settings.output.mkdir(parents=True, exist_ok=True)
    pictures = load(settings.pictures, settings.pictures / "val", bench_recipe(1, 0))
    for seed in range(settings.seeds):
        for passes in settings.passes:
            for name, schedule in SCHEDULES.items():
                path = settings.output / f"{name}_{passes}_{seed}.npz"
                if not path.exists():
                    write(path, schedule(bench_space(), seed), pictures, passes=passes, sharing=settings.sharing)


def write(path: Path, schedule: PathSchedule, pictures: Pictures, *, passes: int, sharing: Sharing) -> None:
    """Trains one supernet and evaluates all its paths."""
    started = time.process_time()
    supernet = train(schedule, pictures, epochs=max(1, passes // schedule.count), sharing=sharing)
    trained_s, started = time.process_time() - started, time.process_time()
    rows = [evaluate(supernet, answers, pictures) for answers in every(bench_space())]
    seconds = np.array([trained_s, (time.process_time() - started) / len(rows)])
    with whole_file(path) as file:
        np.savez_compressed(file, val=np.packbits(np.stack(rows), axis=1), seconds=seconds)
    accuracies = [row.mean() for row in rows]
    print(f"{path.stem}: {trained_s:.0f} s, paths {min(accuracies):.2%} to {max(accuracies):.2%}", flush=True)


def train(schedule: PathSchedule, pictures: Pictures, *, epochs: int, sharing: Sharing) -> Supernet:
    """A trained supernet. Only the paths of a step differ from the training of one network."""
    recipe = bench_recipe(epochs, schedule.seed)  # type: ignore[attr-defined]
    torch.manual_seed(recipe.seed)
    supernet = Supernet(bench_space(), sharing=sharing).train()
    by, steps = optimizer(supernet, recipe), len(pictures.train[0]) // recipe.batch_size  # type: ignore[arg-type]
    supernet.protect_other_paths(by)
    numbers = count()
    for epoch in range(epochs):
        for x, y in batches(*pictures.train, size=recipe.batch_size, seed=recipe.seed, epoch=epoch):
            step = next(numbers)
            set_rates(by, recipe, step, steps_per_epoch=steps)
            seed_step(recipe.seed, step)
            first: Tensor | None = None
            for network in supernet.paths(schedule.at(step)):
                logits = network.train()(x)
                value = loss(recipe, logits, y) if first is None else functional.cross_entropy(logits, first)
                first = logits.detach().softmax(1) if first is None else first
                torch.autograd.backward(value / schedule.count)
            if recipe.clip_grad is not None:
                torch.nn.utils.clip_grad_norm_(supernet.parameters(), recipe.clip_grad)
            by.step()
            by.zero_grad()
    return supernet


def evaluate(supernet: Supernet, answers: tuple[int, ...], pictures: Pictures) -> np.ndarray:
    """Which held-out pictures a path gets right, with batch-norm statistics of its own."""
    network = supernet.network(answers)
    recalibrate(network, pictures.train[0][:CALIBRATION].split(CALIBRATION))
    return correct(network, *pictures.val)


if __name__ == "__main__":
    main()
