"""Makes the runs of this folder anew with the glocal that is installed: python make.py."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
SETTINGS = (
    "--recipe small --model convmixer_16_2_p4_k3_32 --img-size 16 --epochs 3 --batch-size 4 --mixup 0.8 --ema 0.9 "
    "--set crop=none --set warmup_epochs=0 --checkpoint-seconds 0 --device cpu"
).split()
KEPT = ("run.yaml", "data.json", "architecture.yaml", "metrics.csv", "predictions.csv", "weights", "state")


def train(name: str) -> subprocess.Popen[bytes]:
    """A training that has been started."""
    words = ["train", "pictures", *SETTINGS, "--output", ".", "--name", name]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-m", "glocal", *words], env=environment, cwd=HERE)


def shorten(folder: Path) -> None:
    """Leaves of a run what a reader of it needs, without the place where it was made."""
    for path in folder.iterdir():
        if path.name not in KEPT:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in (folder / "run.yaml", folder / "data.json"):
        path.write_text(re.sub(rf"{HERE}/|/\S*/(?=__main__.py)", "", path.read_text()))


def main() -> None:
    """Writes the pictures, the run that ended, and the one that was killed in its second epoch."""
    rng = np.random.default_rng(0)
    for name in ("pictures", "finished", "stopped"):
        shutil.rmtree(HERE / name, ignore_errors=True)
    for i, name in enumerate(("blue", "green")):
        (HERE / "pictures" / name).mkdir(parents=True)
        for j in range(12):
            pixels = rng.integers(0, 160, (16, 16, 3), dtype=np.uint8)
            pixels[..., 2 - i] += 80
            Image.fromarray(pixels).save(HERE / "pictures" / name / f"{j:02}.png")
    assert train("finished").wait() == 0
    process = train("stopped")
    metrics = HERE / "stopped" / "metrics.csv"
    while process.poll() is None and not (metrics.exists() and len(metrics.read_text().splitlines()) > 1):
        time.sleep(0.001)
    process.kill()
    assert process.wait() == -9, "it ended before it was killed; try again"
    for name in ("finished", "stopped"):
        shorten(HERE / name)


if __name__ == "__main__":
    main()
