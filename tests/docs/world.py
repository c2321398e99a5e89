"""The folder in which the code of a page runs: small pictures under every name that the pages use, a run, and a search."""

import contextlib
import io
import os
import shutil
import sys
import warnings
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image

from glocal.cli.app import main

COLOURS = {"blue": (40, 60, 200), "green": (60, 180, 60), "red": (200, 50, 40)}
TRAIN = "train pictures --epochs 1 --recipe small --set batch_size=16 --set warmup_epochs=0 --name NAME"
SEARCH = (
    "search pictures --space glit_cifar_12_2 --recipe small --strategy supernet "
    "--supernet-epochs 1 --candidates 4 --finalists 2 --finalist-epochs 1 "
    "--workers 1 --set population=2 --set calibration=64 --set batch_size=16 --set warmup_epochs=0 --name NAME"
)
SPLIT_FOLDERS = ("pictures", "DATA")
FLAT_FOLDERS = ("photos", "FOLDER")
RUNS = ("A", "B")
"""Names under which pages show pictures with splits, pictures without, and runs beside runs/train/NAME."""


def make(root: Path, *, search: bool) -> Path:
    """Fills an empty folder. Placeholders of the pages (DATA, PICTURE, NAME) are names of real files and folders in it."""
    for name in SPLIT_FOLDERS:
        make_pictures(root / name / "train")
        make_pictures(root / name / "test", each=8, seed=1)
    for name in FLAT_FOLDERS:
        make_pictures(root / name, each=12, seed=2)
    shutil.copy(root / "photos" / "red" / "0.png", root / "PICTURE")
    for name in ("a.jpg", "b.jpg"):
        Image.open(root / "PICTURE").resize((64, 48)).save(root / name)
    rows = [f"{path.relative_to(root)},{path.parent.name}" for path in sorted((root / "photos").rglob("*.png"))]
    (root / "labels.csv").write_text("\n".join(["path,label", *rows]) + "\n")
    code, printed = run_command(TRAIN.split(), root)
    assert not code, printed
    for name in RUNS:
        shutil.copytree(root / "runs" / "train" / "NAME", root / "runs" / "train" / name)
    for name in ("RUN", "WEIGHTS"):
        (root / name).symlink_to(Path("runs", "train", "NAME"))
    if search:
        code, printed = run_command(SEARCH.split(), root)
        assert not code, printed
    return root


def make_pictures(root: Path, *, each: int = 30, side: int = 32, seed: int = 0) -> None:
    """Three classes of noisy pictures that differ in their colour."""
    rng = np.random.default_rng(seed)
    for name, colour in COLOURS.items():
        (root / name).mkdir(parents=True)
        for i in range(each):
            noisy = np.clip(np.array(colour) + rng.normal(0, 40, (side, side, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(root / name / f"{i}.png")


def run_command(words: list[str], folder: Path) -> tuple[int, str]:
    """Runs `glocal` with these words in this process; its exit code, and all that it printed."""
    out = io.StringIO()
    with (
        contextlib.chdir(folder),
        mock.patch.object(sys, "argv", ["glocal", *words]),
        mock.patch.dict(os.environ, {"COLUMNS": "140", "NO_COLOR": "1"}),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("default")
        try:
            main()
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else int(end.code is not None), out.getvalue()
    return 0, out.getvalue()
