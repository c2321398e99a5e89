"""`glocal check` says what it found, and ends with a command that works when it is copied."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ODD = ["-pics", "my pics", "it's", "new\nline", "back\\slash", "$HOME", "zero\u200bwidth", "--help"]


@pytest.fixture
def pets(tmp_path: Path):
    """Writes a flat folder of two classes of six pictures, below the folder in which commands run."""
    rng = np.random.default_rng(0)

    def write(name: str) -> Path:
        for i in range(12):
            file = tmp_path / name / ("cat", "dog")[i % 2] / f"{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(file)
        return tmp_path / name

    return write


def next_line(out: str) -> str:
    lines = out.rstrip("\n").split("\n")
    assert "next:" in lines[-2]
    return lines[-1].strip()


def words_of(line: str) -> list[str]:
    """What bash gives the program as its arguments."""
    script = f'glocal() {{ for word in "$@"; do printf "%s\\0" "$word"; done; }}; {line}'
    shown = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
    return [os.fsdecode(word) for word in shown.stdout.split(b"\0")[:-1]]


@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_the_command_that_is_printed_reads_the_same_pictures(glocal, pets, name: str):
    pets(name)
    code, out, err = glocal("check", "--group-by", "(.*)", "--seed", 3, "--", name)
    assert code == 0, err
    verb, source, *flags = words_of(next_line(out))
    assert verb == "train"
    assert flags[-4:] == ["--group-by", "(.*)", "--seed", "3"]
    again = glocal("check", source, *flags[-4:])
    assert again[0] == 0, again
    assert next_line(again[1]) == next_line(out)


def test_the_command_that_is_printed_trains(glocal, pets):
    pets("-pics")
    words = words_of(next_line(glocal("check", "--", "-pics")[1]))
    code, _, err = glocal(*words, "--model", "cct_2_3x2_32", "--img-size", 16, "--epochs", 1, "--batch-size", 4)
    assert code == 0, err
