"""How often two sets of seeds of one network are told apart, in real trainings on scikit-learn's digits.

    python benchmarks/same_network.py FOLDER [--pairs 20] [--model vit_lite_2_2_32] [--epochs 8]

Each pair is one network and recipe with five seeds against five others. Nothing differs but chance, so every verdict other than
"cannot tell" or "practically equal" is false. Beside it stand single runs, compared as is often done. Trainings are kept in
FOLDER, and a second call goes on; 20 pairs take a quarter of an hour on one core.
"""

import argparse
from itertools import product
from pathlib import Path

import numpy as np
import torch

from glocal.artifacts.run_folder import RunFolder
from glocal.comparing.statistics.compare import compare
from glocal.comparing.statistics.looks import Looks, compare_at_looks
from glocal.comparing.statistics.verdicts import Outcome
from glocal.comparing.study import Evaluation
from glocal.comparing.trial import evaluate_arm
from glocal.data import Data, check
from glocal.files import whole_file
from glocal.machine.processes import Machine
from glocal.recipes import recipe as named_recipe
from glocal.recipes.schema import Recipe
from glocal.trials.training import Entry, train_entry
from glocal.weights import find_architecture
from glocal.weights.networks.any_network import adapt_any

SEEDS = 5
SETTINGS = {"img_size": 8, "batch_size": 96, "lr": 4e-3, "warmup_epochs": 1, "crop": "none"}
FALSE = (Outcome.BETTER, Outcome.WORSE)
FALSE_RUNS = (Outcome.BETTER_RUN, Outcome.WORSE_RUN)


def right_of(seed: int, *, folder: Path, data: Data, recipe: Recipe, machine: Machine) -> np.ndarray:
    """Whether each held-out picture is classified correctly after a training with a seed, from a file or trained now."""
    file = folder / f"{seed}.npy"
    if not file.exists():
        arch = adapt_any(
            find_architecture(recipe.model), classes=len(data.classes), channels=len(recipe.mean), size=recipe.img_size
        )
        seeded = recipe.merged({"seed": seed})
        entry = Entry.of(folder / f"run-{seed}", arch, seeded, data=data, machine=machine, origin="benchmark")
        run = RunFolder(train_entry(entry).folder)
        found = evaluate_arm(run, data.val, Evaluation(), machine=machine).predictions
        assert found
        with whole_file(file) as whole:
            np.save(whole, found.predicted == found.truth)
    return np.asarray(np.load(file))


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--model", default="vit_lite_2_2_32")
    parser.add_argument("--epochs", type=int, default=8)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    data = check("digits").require_data()
    recipe = named_recipe("study").merged({"model": options.model, "epochs": options.epochs, **SETTINGS})
    machine = Machine(torch.device("cpu"))
    seeds = range(2 * SEEDS * options.pairs)
    right = np.stack(
        [right_of(seed, folder=options.folder, data=data, recipe=recipe, machine=machine) for seed in seeds]
    )
    pairs = right.reshape(options.pairs, 2, SEEDS, -1)
    looked = [compare_at_looks(a, b, looks=Looks().up_to(SEEDS)).verdict for a, b in pairs]
    whole = [compare(a, b) for a, b in pairs]
    single = [compare(a[i : i + 1], b[i : i + 1]) for (a, b), i in product(pairs, range(SEEDS))]
    accuracy = 100 * right.mean(1)
    print(
        f"{options.model}, {options.epochs} epochs, {len(data.train):,} pictures; {right.shape[1]} held out; "
        f"top-1 {accuracy.mean():.2f} %, seed sd {accuracy.std(ddof=1):.2f} points\n"
    )
    print("| compared | comparisons | told apart, falsely |\n| --- | ---: | ---: |")
    for name, found, false in (
        ("five seeds, looks at 3 and 5", looked, FALSE),
        ("five seeds, one look", whole, FALSE),
        ("one run with one run, interval over the pictures", single, FALSE_RUNS),
    ):
        print(f"| {name} | {len(found)} | {sum(verdict.outcome in false for verdict in found)} |")


if __name__ == "__main__":
    main()
