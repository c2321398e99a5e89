"""Runs glocal's commands in this process, as their user would."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from glocal.cli.app import main

TINY = "--recipe small --model cct_2_3x2_32 --img-size 16 --epochs 1 --batch-size 8 --name run".split()


class Told(NamedTuple):
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """All that was said."""
        return self.out + self.err


Glocal = Callable[..., Told]


@pytest.fixture
def glocal(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Glocal:
    """`glocal("check", folder)` in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("GLOCAL_CACHE", str(tmp_path / "cache"))
    torch.set_num_threads(1)

    def run(*words: object) -> Told:
        monkeypatch.setattr(sys, "argv", ["glocal", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        return Told(code, *capfd.readouterr())

    return run


@pytest.fixture
def train(glocal: Glocal) -> Glocal:
    """`train(folder, ...)` for one epoch of a tiny network; the run is runs/train/run."""
    return lambda *words: glocal("train", words[0], *TINY, *words[1:])
