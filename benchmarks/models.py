"""Measures the forward pass of every named architecture, and writes what `glocal models` and docs/models.md show of it.

    python benchmarks/models.py [--rounds 5] [--largest 2.5e9] [name ...]

One picture at a time, float32, on the CPU; networks of more weights than `--largest` are left out. Names given are measured
anew, the others keep their rows. Run it on a quiet machine.
"""

import argparse
import csv
import gc
from pathlib import Path

import torch

from glocal.cli.networks.models import SPEEDS, cells
from glocal.design import cost
from glocal.families import architecture, list_models
from glocal.net import Network
from glocal.net.timing.latency import measure

PAGE = Path(__file__).parent.parent / "docs" / "models.md"
HEAD = """# Every architecture by name

Parameters and multiply-adds are exact (`glocal.cost`). Top-1 is what the named source prints for ImageNet-1K at 224 pixels
without other training data; on your pictures it will be another. Images/s: {how}.
`glocal benchmark MODEL` measures on your machine, and
`glocal models 'conv*' --sort macs` lists and sorts. Written by `benchmarks/models.py`.

| name | parameters | multiply-adds | picture | top-1 | source | images/s |
|---|---:|---:|---|---:|---|---:|
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--largest", type=float, default=2.5e9)
    given = parser.parse_args()
    how = f"one picture a pass, float32, {torch.get_num_threads()} threads of a CPU, torch {torch.__version__.split('+')[0]}"
    speeds = dict(csv.reader(SPEEDS.open())) if SPEEDS.exists() else {}
    for name in given.names or list_models():
        arch = architecture(name)
        if cost(arch).params > given.largest:
            continue
        told = measure(
            {name: Network(arch)}, arch.image, batch_size=1, device=torch.device("cpu"), rounds=given.rounds, warmup=2
        )
        speeds[name] = f"{told[name].images_per_s:.3g}"
        print(name, speeds[name], flush=True)
        gc.collect()
    with SPEEDS.open("w", newline="") as file:
        csv.writer(file).writerows((("name", how), *((name, speeds[name]) for name in list_models() if name in speeds)))
    PAGE.write_text(HEAD.format(how=how) + "".join(f"| {' | '.join(row(name))} |\n" for name in list_models()))


def row(name: str) -> list[str]:
    """The cells of a line of the page."""
    said = cells(architecture(name))
    return [said[key] for key in ("name", "weights", "MACs", "picture", "top-1", "source", "images/s")]


if __name__ == "__main__":
    main()
