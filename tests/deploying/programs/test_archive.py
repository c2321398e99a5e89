"""Archives of torch.export: ours are read, and those that could make torch execute code are not."""

import contextlib
import io
import json
import os
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from glocal.deploying.about import read_about
from glocal.deploying.programs.archive import ABOUT, archive_metadata, load_program
from glocal.deploying.programs.tracing import trace
from glocal.errors import RunError

GRAPH, EXAMPLE = "models/model.json", "data/sample_inputs/model.pt"
WEIGHTS, CONSTANTS = "data/weights/model_weights_config.json", "data/constants/model_constants_config.json"


class Ran:
    """Unpickled, it leaves a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.pt2"
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU("tanh"), nn.Flatten(), nn.Linear(144, 2)).eval()
    torch.export.save(trace(network, torch.zeros(2, 3, 8, 8)), path, extra_files={ABOUT: '{"name": "net"}'})
    return path


def changed(file: Path, **new: bytes | None) -> Path:
    """A copy with other members, by their names; those of None are left out."""
    other = file.with_name("evil.pt2")
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(other, "w") as archive:
        root = old.namelist()[0].partition("/")[0]
        kept = {name.partition("/")[2]: old.read(name) for name in old.namelist()}
        for name, data in {**kept, **new}.items():
            if data is not None:
                archive.writestr(f"{root}/{name}", data)
    return other


def member(file: Path, name: str):
    with zipfile.ZipFile(file) as archive:
        return json.loads(archive.read(next(each for each in archive.namelist() if each.endswith(name))))


def pickled(value) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def test_an_archive_of_ours_is_read(file):
    assert archive_metadata(file) == {"name": "net"}
    x = torch.randn(5, 3, 8, 8)
    assert load_program(file).module()(x).shape == (5, 2)
    assert load_program(changed(file)).module()(x).shape == (5, 2)


def with_pickle(file, path, *, table, stored):
    values = member(file, table)
    row = {**next(iter(member(file, WEIGHTS)["config"].values())), "use_pickle": True, "path_name": stored}
    values["config"]["0.weight"] = row
    return {table: json.dumps(values).encode(), f"{table.rpartition('/')[0]}/{stored}": pickled(Ran(path))}


def with_graph(file, change):
    values = member(file, GRAPH)
    change(values["graph_module"]["graph"]["nodes"][0], values)
    return {GRAPH: json.dumps(values).encode()}


ATTACKS = {
    "pickled weight": lambda file, path: with_pickle(file, path, table=WEIGHTS, stored="weight_0"),
    "pickled constant": lambda file, path: with_pickle(file, path, table=CONSTANTS, stored="tensor_0"),
    "pickled object": lambda file, path: with_pickle(file, path, table=CONSTANTS, stored="opaque_obj_0"),
    "old form of weights": lambda file, path: {"data/weights/model.pt": pickled(Ran(path))},
    "example": lambda file, path: {EXAMPLE: pickled((Ran(path),))},
    "compiled library": lambda file, path: {"data/aotinductor/model/model.so": b"\x7fELF"},
    "function below torch": lambda file, path: with_graph(
        file, lambda node, _: node.update(target="torch.serialization.os.mkdir")
    ),
    "operator": lambda file, path: with_graph(file, lambda node, _: node.update(target="_operator.methodcaller")),
    "expression": lambda file, path: with_graph(
        file, lambda node, _: node.update(size={"expr_str": f"__import__('os').mkdir('{path}')"})
    ),
    "guard": lambda file, path: with_graph(
        file, lambda _, values: values.update(guards_code=[f"__import__('os').mkdir('{path}')"])
    ),
    "name": lambda file, path: with_graph(file, lambda node, _: node.update(name="x\n    import os")),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_in_an_archive_is_executed(attack, file, tmp_path):
    made = tmp_path / "ran"
    evil = changed(file, **ATTACKS[attack](file, made))
    for read in (load_program, archive_metadata):
        with pytest.raises(RunError, match="might execute"):
            read(evil)
    assert not made.exists()


def test_the_attack_is_one(file, tmp_path):
    """Without the check torch executes what the archive holds."""
    evil = changed(file, **ATTACKS["pickled weight"](file, tmp_path / "ran"))
    with contextlib.suppress(Exception):
        torch.export.load(evil)
    assert (tmp_path / "ran").is_dir()


@pytest.mark.parametrize("data", [None, b"", b"[]", b'{"config": {"a": 1}}', b"[" * 100_000])
def test_a_damaged_archive_is_refused(data, file):
    for name in (GRAPH, EXAMPLE, WEIGHTS, CONSTANTS):
        with pytest.raises(RunError, match=r"evil\.pt2"):
            load_program(changed(file, **{name: data}))
    with pytest.raises(RunError, match=r"evil\.pt2"):
        read_about(changed(file, **{f"extra/{ABOUT}": data}))


def test_members_that_two_readers_might_read_differently_are_refused(file):
    double = changed(file)
    with zipfile.ZipFile(double, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(archive.namelist()[0], b"")
    with pytest.raises(RunError, match="names of their own"):
        load_program(double)
    packed = file.with_name("packed.pt2")
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in old.namelist():
            archive.writestr(name, old.read(name))
    with pytest.raises(RunError, match="compressed"):
        load_program(packed)
