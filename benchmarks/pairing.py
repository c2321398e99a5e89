"""What it wins to compare two arms on the same pictures and with the same seeds, from finished studies.

    python benchmarks/pairing.py runs/study/A runs/study/B

The variance of a difference is measured twice: paired, of the differences picture by picture or seed by seed, and as the sum of
both arms' own variances, as with other pictures or other seeds for each arm. A ratio of 0.5 says that pairing does what twice as
many pictures, or seeds, would.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from pyarrow import parquet


def correctness(folder: Path) -> dict[str, np.ndarray]:
    """Of each arm whether each held-out picture was classified correctly, (seeds, pictures)."""
    table = parquet.read_table(folder / "predictions.parquet").to_pandas()
    table["right"] = table["truth"].astype(str) == table["predicted"].astype(str)
    found = {}
    for arm, rows in table.groupby("arm", observed=True, sort=False):
        found[str(arm)] = np.stack([each["right"].to_numpy() for _, each in rows.groupby("seed")]).astype(float)
    return found


def ratios(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Paired over unpaired variance of the difference of two arms: over pictures (mean over seeds), and over seeds."""
    pictures = (a - b).var(1, ddof=1) / (a.var(1, ddof=1) + b.var(1, ddof=1))
    of_a, of_b = a.mean(1), b.mean(1)
    seeds = (of_a - of_b).var(ddof=1) / (of_a.var(ddof=1) + of_b.var(ddof=1))
    return float(pictures.mean()), float(seeds)


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", type=Path, nargs="+")
    print(
        "| study | comparisons | seeds | over pictures | over seeds: median (quartiles) |\n| --- | ---: | ---: | ---: | ---: |"
    )
    for folder in parser.parse_args().studies:
        right = correctness(folder)
        pairs = [(v["arm"], v["baseline"]) for v in json.loads((folder / "study.json").read_text())["verdicts"]]
        common = [(right[a], right[b], min(len(right[a]), len(right[b]))) for a, b in pairs]
        found = np.array([ratios(a[:n], b[:n]) for a, b, n in common])
        low, middle, high = np.nanquantile(found[:, 1], [0.25, 0.5, 0.75])
        print(
            f"| {folder.name} | {len(pairs)} | {min(n for *_, n in common)} | {found[:, 0].mean():.2f} | "
            f"{middle:.2f} ({low:.2f} to {high:.2f}) |"
        )


if __name__ == "__main__":
    main()
