"""Packs what `make`, `supernets` and `proxies` wrote into one table, which `glocal.searching.strategies.replay` reads.

    python -m benchmarks.nas_bench.pack FOLDER SUPERNETS PROXIES [--table benchmarks/nas_bench/table.npz]

Networks of which a seed is missing are left out. Running it again after more were trained replaces the table.
"""

import argparse
from pathlib import Path

import numpy as np
from benchmarks.nas_bench.space import bench_space, every
from benchmarks.nas_bench.train import EPOCHS

from glocal.design import cost, decide
from glocal.files import whole_file
from glocal.searching.candidates.candidate import format_answers

PICTURES = 2000, 10_000  # held out, and those that judge


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trained", type=Path)
    parser.add_argument("supernets", type=Path)
    parser.add_argument("proxies", type=Path)
    parser.add_argument("--table", type=Path, default=Path(__file__).parent / "table.npz")
    parser.add_argument("--seeds", type=int, default=2)
    settings = parser.parse_args()
    answers = [
        a
        for a in every(bench_space())
        if all((settings.trained / f"{format_answers(a)}_{seed}.npz").exists() for seed in range(settings.seeds))
    ]
    files = [
        [dict(np.load(settings.trained / f"{format_answers(a)}_{seed}.npz")) for seed in range(settings.seeds)]
        for a in answers
    ]
    seconds = [np.concatenate([one[f"seconds_{n}"] for one in seeds for n in EPOCHS]) for seeds in files]
    values = {
        "networks": np.array([format_answers(a) for a in answers]),
        "pictures": np.array(PICTURES),
        "macs": np.array([cost(decide(bench_space(), a)).macs for a in answers]),
        "epoch_s": np.array([np.median(each) for each in seconds], dtype=np.float32),
        **{f"val_{n}": np.array([[one[f"val_{n}"] for one in seeds] for seeds in files]) for n in EPOCHS},
        "test": np.array([[one["test"] for one in seeds] for seeds in files]),
        **guides(settings.supernets, settings.proxies, {format_answers(a) for a in answers}),
    }
    with whole_file(settings.table) as file:
        np.savez_compressed(file, allow_pickle=False, **values)
    print(f"{len(answers)} networks, {settings.table.stat().st_size / 1e6:.2f} MB, {len(values) - 7} guides")


def guides(supernets: Path, proxies: Path, chosen: set[str]) -> dict[str, np.ndarray]:
    """Arrays "guide NAME SEED VARIANT": seconds, seconds for each network, and the score of each."""
    kept = np.array([format_answers(a) in chosen for a in every(bench_space())])
    found = {}
    for path in sorted([*supernets.glob("*.npz"), *proxies.glob("*.npz")]):
        name, variant, seed = path.stem.rsplit("_", 2)
        with np.load(path) as file:
            supernet = "val" in file
            scores = np.unpackbits(file["val"], axis=1, count=PICTURES[0]).mean(1) if supernet else file["scores"]
            found[f"guide {name} {seed} {variant}"] = np.concatenate([file["seconds"], scores[kept]])
    return found


if __name__ == "__main__":
    main()
