"""Makes the bench: trains every network of the space alone, and packs what they got right into one table.

    python -m benchmarks.nas_bench.make PICTURES JUDGES --output FOLDER [--part 1/2] [--networks 125] [--seeds 2] [--passes 1]

PICTURES has the folders train and val (4,000 and 2,000 of CIFAR-10 in ours), JUDGES one folder a class (CIFAR-10's test). Where
there are few pictures, `--passes 4` calls four passes through them an epoch. Run it again after a stop: finished trainings are
read. Several processes may share the work, each with its part. Networks come in a random order, so that the table of those that
are finished is a random sample of the space at any time.
"""

import argparse
import random
from pathlib import Path

import numpy as np
import torch
from benchmarks.nas_bench.pictures import Pictures, load
from benchmarks.nas_bench.space import bench_space, every
from benchmarks.nas_bench.train import EPOCHS, bench_recipe, train

from glocal.design import decide
from glocal.design.space import Answers
from glocal.files import whole_file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("judges", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--part", default="1/1", help="K/N: train every N-th network, from the K-th on")
    parser.add_argument("--networks", type=int, default=125)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--passes", type=int, default=1, help="through the training pictures in an epoch")
    settings = parser.parse_args()
    torch.set_num_threads(1)
    settings.output.mkdir(parents=True, exist_ok=True)
    pictures = load(settings.pictures, settings.judges, bench_recipe(1, 0), passes=settings.passes)
    part, parts = map(int, settings.part.split("/"))
    for answers in in_order(settings.networks)[part - 1 :: parts]:
        for seed in range(settings.seeds):
            path = settings.output / f"{'-'.join(map(str, answers))}_{seed}.npz"
            if not path.exists():
                write(path, answers, pictures, seed=seed)


def in_order(networks: int) -> list[Answers]:
    """So many networks of the space, in the order in which they are trained."""
    answers = list(every(bench_space()))
    random.Random(0).shuffle(answers)
    return answers[:networks]


def write(path: Path, answers: Answers, pictures: Pictures, *, seed: int) -> None:
    """Trains a network with every schedule, and writes one file."""
    arch = decide(bench_space(), answers)
    trained = [train(arch, pictures, epochs=n, seed=seed, judged=n == EPOCHS[-1]) for n in EPOCHS]
    values = {f"val_{n}": np.packbits(one.val, axis=1) for n, one in zip(EPOCHS, trained, strict=True)}
    seconds = {f"seconds_{n}": one.seconds for n, one in zip(EPOCHS, trained, strict=True)}
    assert trained[-1].test is not None
    counts = len(pictures.val[1]), len(pictures.test[1])
    with whole_file(path) as file:
        np.savez_compressed(
            file, allow_pickle=False, **values, **seconds, test=np.packbits(trained[-1].test), pictures=counts
        )
    accuracies = ", ".join(f"{one.val[-1].mean():.2%}" for one in trained)
    print(f"{path.stem}: {accuracies}; judged {trained[-1].test.mean():.2%}", flush=True)


if __name__ == "__main__":
    main()
