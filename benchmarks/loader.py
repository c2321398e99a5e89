"""Pictures a second from JPEG files to training batches: glocal's loader against torchvision's stock pipeline.

    python benchmarks/loader.py [FOLDER] [--rounds 5] [--batch-size 64] [--cores 2]

FOLDER holds CLASS/picture; without it 400 pictures of 500 x 375 are made: noise with the spectrum of photographs, JPEGs of
quality 90. An epoch goes through them three times, files in the page cache, and ends with normalised float32 batches of 224 x
224 on the CPU. torchvision's `ImageFolder` and `DataLoader` have 1 or 2 processes, of which the faster counts. glocal's `Batches`
has 2 threads, or 2 processes; with RandAugment, which draws from global generators that threads share, processes alone. Both crop
with bilinear interpolation; RandAugment is timm's on both sides. Nothing is trained meanwhile.

Contenders take turns within a round, forwards and backwards. Ratios are of medians; the processor time of a picture, of all
processes and threads together, is steadier than the wall where the machine is shared.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import PIL
import torch
import torchvision
from PIL import Image
from timm.data.auto_augment import rand_augment_transform
from torch import Tensor
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms

from glocal.data import Augment, Batches, Preprocess, check
from glocal.machine.device import keep_memory

SIDE, TIMES = 224, 3
RANDAUGMENT = "rand-m9-inc1"  # without mstd, whose magnitude 10 Pillow 13 refuses in timm's own policy
PREPROCESS = Preprocess((SIDE, SIDE))


def photograph(seed: int, size: tuple[int, int] = (375, 500)) -> Image.Image:
    """Noise whose amplitude falls with the frequency, as that of photographs does."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])[None])
    frequency[0, 0] = 1 / size[1]

    def plane(fall: float, deviation: float) -> np.ndarray:
        waves = rng.normal(size=frequency.shape) + 1j * rng.normal(size=frequency.shape)
        values = np.fft.irfft2(waves / frequency**fall, size)
        return values / values.std() * deviation

    grey = plane(1.2, 45) + 128
    return Image.fromarray(np.clip(np.stack([grey + plane(1.8, 20) for _ in range(3)], 2), 0, 255).astype(np.uint8))


def make(folder: Path, n: int = 400) -> None:
    """Photographs in four classes."""
    for i in range(n):
        (folder / f"class{i % 4}").mkdir(exist_ok=True)
        photograph(i).save(folder / f"class{i % 4}" / f"{i:03}.jpg", quality=90)


def stock(folder: Path, *, batch_size: int, policy: str, workers: int) -> Callable[[], int]:
    """torchvision's pipeline, as its documentation writes it."""
    settings = {"translate_const": 100, "interpolation": Image.Resampling.BILINEAR}
    randaugment = [rand_augment_transform(policy, settings)] if policy else []
    tensor = [transforms.ToTensor(), transforms.Normalize(PREPROCESS.mean, PREPROCESS.std)]
    crop = [transforms.RandomResizedCrop(SIDE), transforms.RandomHorizontalFlip()]
    transform = transforms.Compose([*crop, *randaugment, *tensor])
    pictures = datasets.ImageFolder(str(folder), transform)
    several = Subset(pictures, list(range(len(pictures))) * TIMES)

    def epoch() -> int:
        return count(x for x, _ in DataLoader(several, batch_size, shuffle=True, num_workers=workers, drop_last=True))

    return epoch


def ours(folder: Path, *, batch_size: int, policy: str, workers: int, threads: int) -> Callable[[], int]:
    """glocal's, with nothing kept in memory."""
    train = replace(check(folder, val_fraction=1e-9).require_data().train, pixels=None)
    several = replace(train, rows=train.rows * TIMES, labels=np.tile(train.labels, TIMES))
    augment = Augment(interpolation="bilinear", auto_augment=policy)
    epochs = iter(range(1000))

    def transform(picture: np.ndarray, seed: int) -> np.ndarray:
        return augment.apply(picture, size=(SIDE, SIDE), seed=seed, channels=3)

    def epoch() -> int:
        batches = Batches(
            several,
            batch_size=batch_size,
            seed=0,
            epoch=next(epochs),
            train=True,
            transform=transform,
            drop_last=True,
            workers=workers,
            threads=threads,
        )
        return count(PREPROCESS.normalise(x) for x, _ in batches)

    return epoch


def count(batches: Iterable[Tensor]) -> int:
    return sum(len(x) for x in batches)


def processor_s() -> float:
    """Processor time so far, of this process and of those that it has waited for."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in spent)


def measured(epochs: dict[str, Callable[[], int]], rounds: int) -> dict[str, tuple[float, float]]:
    """Medians of pictures a second, and of processor milliseconds a picture; the first round warms up and is not counted."""
    told: dict[str, list[tuple[float, float]]] = {name: [] for name in epochs}
    for i in range(rounds + 1):
        for name in list(epochs)[:: 1 if i % 2 else -1]:
            wall, spent = time.perf_counter(), processor_s()
            n = epochs[name]()
            told[name].append((n / (time.perf_counter() - wall), (processor_s() - spent) / n * 1e3))
    return {name: (median(s for s, _ in t[1:]), median(ms for _, ms in t[1:])) for name, t in told.items()}


def compare(folder: Path, *, rounds: int, batch_size: int) -> None:
    for title, policy in (("crop, flip, normalise", ""), (f"the same and {RANDAUGMENT}", RANDAUGMENT)):
        theirs = partial(stock, folder, batch_size=batch_size, policy=policy)
        own = partial(ours, folder, batch_size=batch_size, policy=policy)
        epochs = {
            "torchvision, 1 process": theirs(workers=1),
            "torchvision, 2 processes": theirs(workers=2),
            "glocal, 2 processes": own(workers=2, threads=0),
        }
        if not policy:
            epochs["glocal, 2 threads"] = own(workers=0, threads=2)
        found = measured(epochs, rounds)
        best = max(each[0] for name, each in found.items() if name.startswith("torchvision"))
        least = min(each[1] for name, each in found.items() if name.startswith("torchvision"))
        print(f"\n{title:<32} pictures/s  ratio  ms of processor a picture  ratio")
        for name, (speed, ms) in found.items():
            print(f"{name:<32} {speed:>10.0f} {speed / best:>6.2f} {ms:>26.2f} {least / ms:>6.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--cores", type=int, default=2)
    args = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.cores])
    torch.set_num_threads(args.cores)
    keep_memory(torch.device("cpu"))  # as `glocal train` does; the processes of both sides inherit it
    print(
        f"torch {torch.__version__}, torchvision {torchvision.__version__}, Pillow {PIL.__version__}, {args.cores} cores"
    )
    if args.folder:
        compare(args.folder, rounds=args.rounds, batch_size=args.batch_size)
    else:
        with tempfile.TemporaryDirectory() as made:
            make(Path(made))
            compare(Path(made), rounds=args.rounds, batch_size=args.batch_size)


if __name__ == "__main__":
    main()
