"""Runs every command once, on small pictures, for the reference: what it printed with --json, and the folders it wrote."""

import contextlib
import io
import json
import os
import shlex
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from PIL import Image

COLOURS = {"blue": (40, 60, 200), "green": (60, 180, 60), "red": (200, 50, 40)}
_QUICK = "--epochs 1 --recipe small --set batch_size=16 --set warmup_epochs=0 --set img_size=16"
_QUICK_SEARCH = (
    "--strategy supernet --space glit_cifar_12_2 --recipe small --supernet-epochs 1 --candidates 4 --finalists 2 "
    "--finalist-epochs 1 --workers 1 "
    "--set population=2 --set calibration=64 --set batch_size=16 --set warmup_epochs=0 --set img_size=16"
)

COMMANDS = (
    "check pictures",
    "check broken",
    "check digits",
    "shard pictures shards",
    f"train pictures {_QUICK} --name example",
    "train digits --epochs 3 --model cct_2_3x2_32 --img-size 32 --name digits",
    "val nowhere",
    "rerun runs/train/example",
    "val runs/train/example",
    "val runs/train/digits --split train",
    "predict runs/train/example pictures/red",
    "predict runs/train/example broken/red",
    "explain runs/train/example pictures/red/0.png",
    "export runs/train/example",
    "probe runs/train/example pictures",
    "recipes",
    "recipes digits",
    "models 'co*'",
    "show cct_2_3x2_32",
    "show coatnet_0",
    "show glit_tiny_details",
    "benchmark cct_2_3x2_32 --rounds 2",
    "benchmark convnext_zepto_rms --rounds 2 --img-size 32",
    f"search pictures {_QUICK_SEARCH} --name example",
    "rank runs/search/example --networks 3 --epochs 1",
    "report runs/search/example",
    "compare runs/train/example runs/train/example-rerun",
    "study --list",
    "study mine.yaml pictures --epochs 1 --seeds 1 --name example",
    "pick pictures --candidates cct_2_3x2_32@tiny,cvt_2_4_32@tiny --epochs 1 --seeds 1 --set batch_size=16 --name example",
    "push runs/train/example owner/example --dry-run hub",
    "doctor",
    "cache",
)
"""What is run, in this order, with --json added. Two commands of one verb with other pictures tell keys from names of classes."""


STUDY = """question: Is a convolutional tokenizer better on these pictures?
baseline: patches
settings: {img_size: 16, batch_size: 16, warmup_epochs: 0}
arms: {patches: cvt_2_4_32, tokenizer: cct_2_3x2_32}
"""


@dataclass
class Examples:
    """What the commands printed, by verb, and the folder in which they ran."""

    folder: Path
    printed: dict[str, list[tuple[str, Any]]] = field(default_factory=dict)


def run(folder: Path) -> Examples:
    """Runs every command in an empty folder."""
    make_pictures(folder / "pictures")
    make_pictures(folder / "broken", each=4)
    (folder / "broken" / "red" / "0.png").write_bytes(b"")
    (folder / "mine.yaml").write_text(STUDY, encoding="utf-8")
    found = Examples(folder)
    for command in COMMANDS:
        verb = command.partition(" ")[0]
        printed = printed_by([*shlex.split(command), "--json"], folder)
        found.printed.setdefault(verb, []).append((f"glocal {command}", json.loads(printed)))
    return found


def make_pictures(root: Path, *, each: int = 24) -> None:
    """A folder for each of three classes of noisy pictures of 16 x 16 pixels, which differ in their colour."""
    rng = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (root / name).mkdir(parents=True)
        for i in range(each):
            noisy = np.clip(np.array(colour) + rng.normal(0, 40, (16, 16, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(root / name / f"{i}.png")


def printed_by(words: list[str], folder: Path) -> str:
    """What a command prints on standard output; RuntimeError with its messages where it ends otherwise than it should."""
    from glocal.cli.app import main

    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(folder),
        mock.patch.object(sys, "argv", ["glocal", *words]),
        mock.patch.dict(os.environ, {"CI": "1", "COLUMNS": "120"}),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        _warnings_kept(),
    ):
        try:
            main()
        except SystemExit as end:
            if end.code not in (0, None) and not out.getvalue():
                raise RuntimeError(f"glocal {shlex.join(words)} ended with {end.code}: {err.getvalue()}") from None
    return out.getvalue()


@contextlib.contextmanager
def _warnings_kept() -> Iterator[None]:
    """The command line shows warnings in its own way; that ends with it."""
    with warnings.catch_warnings():
        yield
