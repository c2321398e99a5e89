"""Packs what `make`, `proxies` and `supernets` wrote into one table, which `glocal.searching.strategies.replay` reads.

    python -m benchmarks.nas_bench.pack FOLDER PROXIES [SUPERNETS] [--table benchmarks/nas_bench/table.npz]

Networks of which a seed is missing are left out. Running it again after more were trained replaces the table.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from benchmarks.nas_bench.space import bench_space, every
from benchmarks.nas_bench.train import EPOCHS

from glocal.design import cost, decide
from glocal.files import whole_file
from glocal.searching.candidates.candidate import format_answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trained", type=Path)
    parser.add_argument("guides", type=Path, nargs="+")
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
    pictures = files[0][0]["pictures"]
    seconds = [np.concatenate([one[f"seconds_{n}"] for one in seeds for n in EPOCHS]) for seeds in files]
    values = {
        "networks": np.array([format_answers(a) for a in answers]),
        "pictures": pictures,
        "macs": np.array([cost(decide(bench_space(), a)).macs for a in answers]),
        "epoch_s": np.array([np.median(each) for each in seconds], dtype=np.float32),
        **{f"val_{n}": np.array([[one[f"val_{n}"] for one in seeds] for seeds in files]) for n in EPOCHS},
        "test": np.array([[one["test"] for one in seeds] for seeds in files]),
        **guides(settings.guides, {format_answers(a) for a in answers}, held_out=int(pictures[0])),
    }
    with whole_file(settings.table) as file:
        np.savez_compressed(file, allow_pickle=False, **values)
    print(f"{len(answers)} networks, {settings.table.stat().st_size / 1e6:.2f} MB, {len(values) - 7} guides")


def guides(folders: Sequence[Path], chosen: set[str], *, held_out: int) -> dict[str, np.ndarray]:
    """Arrays "guide NAME SEED VARIANT": seconds, seconds for each network, and the score of each."""
    kept = np.array([format_answers(a) in chosen for a in every(bench_space())])
    found = {}
    for path in sorted(path for folder in folders for path in folder.glob("*.npz")):
        name, variant, seed = path.stem.rsplit("_", 2)
        with np.load(path) as file:
            supernet = "val" in file
            scores = np.unpackbits(file["val"], axis=1, count=held_out).mean(1) if supernet else file["scores"]
            found[f"guide {name} {seed} {variant}"] = np.concatenate([file["seconds"], scores[kept]])
    return found


if __name__ == "__main__":
    main()
