"""Scores every network of the bench by the proxies, with the seconds that each took.

python -m benchmarks.nas_bench.proxies PICTURES --output FOLDER [--seeds 2]
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from benchmarks.nas_bench.pictures import batches, load
from benchmarks.nas_bench.space import bench_space, every
from benchmarks.nas_bench.train import bench_recipe

from glocal.design import decide
from glocal.files import whole_file
from glocal.searching.ranking.proxies import ProxyName, proxy_score

NAMES: tuple[ProxyName, ...] = ("macs", "params", "grad_norm", "synflow", "naswot")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=2)
    settings = parser.parse_args()
    torch.set_num_threads(1)
    settings.output.mkdir(parents=True, exist_ok=True)
    pictures = load(settings.pictures, settings.pictures / "val", bench_recipe(1, 0))
    archs = [decide(bench_space(), answers) for answers in every(bench_space())]
    for seed in range(settings.seeds):
        recipe = bench_recipe(1, seed)
        first = list(batches(*pictures.train, size=recipe.batch_size, seed=seed, epoch=0))[:1]
        for name in NAMES:
            path = settings.output / f"{name}_1_{seed}.npz"
            if path.exists():
                continue
            started = time.process_time()
            scores = np.array([proxy_score(name, arch, first, recipe=recipe) for arch in archs])
            seconds = np.array([0.0, (time.process_time() - started) / len(archs)])
            with whole_file(path) as file:
                np.savez_compressed(file, scores=scores, seconds=seconds)
            print(f"{path.stem}: {1000 * seconds[1]:.1f} ms each, {scores.min():.4g} to {scores.max():.4g}", flush=True)


if __name__ == "__main__":
    main()
