"""What a study costs beside its trainings, and how near its quote comes: a study, and the same trainings by hand, in turns.

    python benchmarks/studying.py PICTURES FOLDER [--epochs 3] [--rounds 2]

A study of two networks with three seeds, one worker, with all threads; by hand, `glocal.train` and `glocal.evaluate` of the same
networks, recipe and seeds, one after the other in the same process. Both read the pictures once before, so that neither pays for
an empty cache.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import glocal
from glocal.comparing.quote import LEAST_SEEDS
from glocal.comparing.study import Arm, Study

NETWORKS = {"attention": "cct_2_3x2_32", "convolution": "convmixer_64_4_p2_k5_32"}
SETTINGS = {"img_size": 32, "batch_size": 64, "warmup_epochs": 0}


def studied(source: str, folder: Path, settings: dict[str, Any]) -> tuple[float, float]:
    """Seconds of the study, and of the trainings as it quoted them."""
    arms = tuple(Arm(name, model) for name, model in NETWORKS.items())
    asked = Study("overhead", "Attention or convolution?", arms, baseline="attention", settings=settings)
    started = time.monotonic()
    found = glocal.study(source, asked, scale="paper", seeds=LEAST_SEEDS, output=folder, workers=1)
    taken = time.monotonic() - started
    return taken, json.loads((found.folder / "study.json").read_text())["quote"]["seconds_of_3_seeds"]


def by_hand(source: str, folder: Path, settings: dict[str, Any]) -> float:
    """Seconds of the same trainings."""
    started = time.monotonic()
    for model in NETWORKS.values():
        for seed in range(LEAST_SEEDS):
            run = glocal.train(source, recipe="study", model=model, seed=seed, output=folder, **settings)
            glocal.evaluate(run.folder)
    return time.monotonic() - started


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    settings = {**SETTINGS, "epochs": options.epochs}
    glocal.check(options.pictures)
    print(
        "| round | quoted | study | by hand | study over by hand | truth over quote |\n|---:|---:|---:|---:|---:|---:|"
    )
    ratios = []
    for i in range(options.rounds):
        study_s, quoted_s = studied(options.pictures, options.folder, settings)
        hand_s = by_hand(options.pictures, options.folder, settings)
        ratios.append((study_s / hand_s, study_s / quoted_s))
        print(
            f"| {i + 1} | {quoted_s:.0f} s | {study_s:.0f} s | {hand_s:.0f} s | {ratios[-1][0]:.3f} | {ratios[-1][1]:.3f} |",
            flush=True,
        )
    over, quote = (statistics.median(column) for column in zip(*ratios, strict=True))
    print(f"\nmedians: {over:.3f} of the time by hand, {quote:.3f} of the quote")


if __name__ == "__main__":
    main()
