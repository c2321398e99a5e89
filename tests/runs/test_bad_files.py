"""Any bytes in a file of a run are read, or refused with an error that names the file."""

import random
import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch

import glocal
from glocal.artifacts.run_folder import RunFolder
from glocal.design import Architecture
from glocal.errors import GlocalError
from glocal.machine.processes import Machine
from glocal.monitoring.trackers import _read_id
from glocal.net import Network
from glocal.recipes.schema import Recipe
from glocal.runs.record import RunRecord
from glocal.runs.settings import config_source, read_config
from glocal.training.state import State
from glocal.training.state_files import read_state
from tries import tries

MACHINE = Machine(torch.device("cpu"))
STATE = "state/step-10/0-of-1.safetensors"
WORDS = (
    *(
        b"!!int x",
        b"!!timestamp x",
        b"!!bool x",
        b"!!float ''",
        b"!!python/object/apply:os.system [exit]",
        b"2026-06-31",
    ),
    *(
        b"null",
        b"NaN",
        b"1e999",
        b"-1",
        b"99999999999999999999",
        b"9" * 5000,
        b"[" * 5000,
        b"{a: " * 5000,
        b"999999999 x",
    ),
    *(b"\xff\xfe", b"\xed\xa0\x80", b"\x00", b"\r", b"\n\n", b"?", b"&a", b"*a", b"'", b'"', b": ", b"- "),
    *(b'{"dict": 3}', b'"tensor"', b"../../x", b"true", b"[]", b"{}"),
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """The folder of a finished run."""
    settings = {"model": "cct_2_3x2_32", "img_size": 8, "epochs": 2, "batch_size": 256, "opt": "lamb"}
    run = glocal.train("digits", recipe="digits", **settings, output=tmp_path_factory.mktemp("runs"))
    (run.folder / "mlflow.json").write_text('{"store": "file:///mlruns", "run_id": "0123"}')
    return run.folder


@cache
def fresh_state(arch: Architecture) -> State:
    return State.start(Network(arch), Recipe(opt="lamb"), MACHINE)


def load_state(folder: Path) -> None:
    run = RunFolder(folder)
    fresh_state(run.architecture()).load(run.state)


def read_all_of_config(folder: Path) -> None:
    read_config(folder / "run.yaml")
    config_source(folder / "run.yaml")


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "run.yaml": ("run.yaml", lambda folder: RunRecord.read(RunFolder.find(folder))),
    "run.yaml as --config": ("run.yaml", read_all_of_config),
    "architecture.yaml": ("architecture.yaml", lambda folder: RunFolder(folder).architecture()),
    "data.json": ("data.json", lambda folder: RunFolder(folder).manifest()),
    "metrics.csv": ("metrics.csv", lambda folder: RunFolder(folder).metrics()),
    "mlflow.json": ("mlflow.json", lambda folder: _read_id(folder / "mlflow.json")),
    "state/last.json": ("state/last.json", load_state),
    "the tensors of a state": (STATE, lambda folder: read_state(RunFolder(folder).state)),
}


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The bytes of a file after one to four accidents."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        i, j = sorted(rng.randrange(len(data) + 1) for _ in range(2))
        j = min(j, i + rng.choice((1, 8, 64, len(data))))
        word = rng.choice((rng.choice(WORDS), rng.randbytes(rng.choice((1, 4, 100)))))
        numbers = [match.span() for match in re.finditer(rb"\d+", data[:20_000])] or [(0, 0)]
        first, last = rng.choice(numbers)
        match rng.randrange(9):
            case 0:  # cut short
                data = data[:i]
            case 1:  # a piece is missing
                data = data[:i] + data[j:]
            case 2:  # a piece is there twice
                data = data[:j] + data[i:]
            case 3:
                data = data[:i] + word + data[i:]
            case 4:
                data = data[:i] + word + data[j:]
            case 5:  # another value
                data = data[:first] + word + data[last:]
            case 6:
                data = data[:first] + str(rng.randrange(10**6)).encode() + data[last:]
            case 7:  # one bit
                data = data[:i] + bytes(byte ^ (1 << rng.randrange(8)) for byte in data[i : i + 1]) + data[i + 1 :]
            case _:
                data = rng.randbytes(rng.randrange(200))
    return data


def message_of(read: Callable[[], object]) -> str:
    """The message of a GlocalError; empty where none was raised. Any other error is one of the test."""
    try:
        read()
    except GlocalError as error:
        return str(error)
    return ""


def check(reader: str, seeds: range, finished: Path, to: Path) -> int:
    """Reads a file with accidents; returns how many were refused."""
    name, read = READERS[reader]
    folder = shutil.copytree(finished, to / "run")
    whole, refused = (folder / name).read_bytes(), 0
    read(folder)
    for seed in seeds:
        (folder / name).write_bytes(mutated(whole, random.Random(f"{reader} {seed}")))
        if message := message_of(lambda: read(folder)):
            assert Path(name).name in message, f"seed {seed}: {message}"
            assert len(message) < 5_000, f"seed {seed}"
            refused += 1
    return refused


@pytest.mark.parametrize("reader", READERS)
def test_any_bytes_are_read_or_refused_with_the_name_of_the_file(reader, finished, tmp_path):
    assert check(reader, range(100), finished, tmp_path) > 20


@pytest.mark.slow
@pytest.mark.campaign
@pytest.mark.parametrize("reader", READERS)
def test_any_of_many_more_bytes_are_read_or_refused(reader, finished, tmp_path):
    n = tries(2500)
    print(reader, check(reader, range(100, 100 + n), finished, tmp_path), f"of {n:,} refused")


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("data", [b"", b"\xff\xfe\x00", b"[" * 5000, b"{a: " * 5000, b"[]", b"null", b"7"])
def test_what_is_no_such_file_at_all_is_refused(reader, data, finished, tmp_path):
    name, read = READERS[reader]
    folder = shutil.copytree(finished, tmp_path / "run")
    (folder / name).write_bytes(data)
    with pytest.raises(GlocalError, match=re.escape(Path(name).name)):
        read(folder)


@pytest.mark.parametrize("name", ["state/last.json", STATE])
def test_a_state_that_differs_by_one_bit_is_refused(finished, tmp_path, name):
    folder = shutil.copytree(finished, tmp_path / "run")
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(GlocalError, match=r"last\.json is not a whole state"):
        load_state(folder)


def test_another_network_in_the_folder_of_a_run_is_refused(finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "run")
    file = folder / "architecture.yaml"
    file.write_text(file.read_text().replace("heads: 2", "heads: 4"))
    with pytest.raises(GlocalError, match=r"architecture\.yaml has another network than the run was started with"):
        RunFolder(folder).architecture()
