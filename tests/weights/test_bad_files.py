"""Whatever bytes are given as a file of weights: they are read, or an error names the file; nothing in them runs, and no few
bytes take much memory."""

import argparse
import io
import json
import os
import pickle
import random
import resource
import struct
import zipfile

import pytest
import safetensors.torch
import torch

from damage import damaged, disturbed
from glocal.design import dump
from glocal.errors import WeightError
from glocal.weights import Model, create_model, load_model, save_model

NAME = "convmixer_16_2_p2_k5_32"


class RunsCode:
    """What a malicious checkpoint holds: unpickling it makes a folder."""

    def __reduce__(self):
        return os.mkdir, ("ran",)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return create_model(NAME, num_classes=3)


def as_torch(held, *, zipped=True):
    file = io.BytesIO()
    torch.save(held, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


def as_safetensors(network, folder, **meta):
    """A file of ours, with some of what it says of itself replaced."""
    path = folder / "whole.safetensors"
    save_model(path, Model(network, ("a", "b", "c"), {"mean": [0.5] * 3, "std": [0.5] * 3}))
    data = path.read_bytes()
    if not meta:
        return data
    (n,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + n])
    said = {**json.loads(header["__metadata__"]["glocal"]), **meta}
    return headed(header | {"__metadata__": {"glocal": json.dumps(said)}}, data[8 + n :])


def headed(header, rest):
    text = json.dumps(header).encode() if isinstance(header, dict) else header
    return struct.pack("<Q", len(text)) + text + rest


@pytest.fixture(scope="module")
def whole(network, tmp_path_factory):
    """Undamaged files by suffix."""
    own = network.state_dict()
    timms = {"state_dict": own, "state_dict_ema": own, "args": argparse.Namespace(lr=0.1), "epoch": 3}
    return [
        (".pth", as_torch(own)),
        (".pth", as_torch(own, zipped=False)),
        (".pth.tar", as_torch({**timms, "optimizer": {"state": {0: {"exp_avg": own["head.linear1.bias"]}}}})),
        (".pth", as_torch({"state_dict": own, "evil": RunsCode()}, zipped=False)),
        (".safetensors", as_safetensors(network, tmp_path_factory.mktemp("whole"))),
        (".safetensors", safetensors.torch.save(own)),
    ]


def is_read_or_refused(path):
    """Whether a network starts from it."""
    read = True
    for reader in (lambda: create_model(NAME, weights=path, num_classes=3), lambda: load_model(path)):
        try:
            found = reader()
        except WeightError as error:
            assert_names(error, path)
            read = False
        else:
            network = getattr(found, "network", found)
            assert all(torch.isfinite(t).all() for t in network.state_dict().values())
    return read


def assert_names(error, path):
    assert str(path) in str(error)
    assert len(str(error)) < 20_000


@pytest.fixture
def memory():
    """Says after the test that it took less than half a gigabyte."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000


def fuzz(whole, folder, *, n, seed):
    """How many of n damaged files were read all the same."""
    rng, read = random.Random(seed), 0
    for _ in range(n):
        suffix, data = rng.choice(whole)
        path = folder / f"weights{suffix}"
        path.write_bytes(
            damaged(data, rng) if suffix != ".safetensors" or rng.random() < 0.5 else _redescribed(data, rng)
        )
        read += is_read_or_refused(path)
        path.unlink()
    assert not [*folder.iterdir()], "nothing was executed"
    return read


def _redescribed(data, rng):
    """Safetensors whose header, or what glocal wrote into it, says something else."""
    (n,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + n])
    about = header.get("__metadata__", {})
    if "glocal" in about and rng.random() < 0.8:
        about["glocal"] = json.dumps(disturbed(json.loads(about["glocal"]), rng), default=str)
        return headed(header, data[8 + n :])
    return headed(json.dumps(disturbed(header, rng), default=str).encode(), data[8 + n :])


def test_damaged_files_are_read_or_refused(whole, tmp_path, monkeypatch, memory):
    monkeypatch.chdir(tmp_path)
    assert fuzz(whole, tmp_path, n=300, seed=0) < 300


@pytest.mark.slow
@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(1, 21))
def test_many_damaged_files_are_read_or_refused(whole, tmp_path, monkeypatch, memory, seed):
    monkeypatch.chdir(tmp_path)
    fuzz(whole, tmp_path, n=1000, seed=seed)


# ------------------------------------------------------------------------------------------------------ bombs


def laughs():
    held = {"a": torch.ones(1)}
    for _ in range(60):
        held = {"a": held, "b": held}
    return held


def circle():
    held = {"a": torch.ones(1)}
    held["again"] = held
    return held


def packed(size):
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(as_torch({"a": torch.zeros(size)}))) as plain,
        zipfile.ZipFile(file, "w") as archive,
    ):
        for part in plain.infolist():
            archive.writestr(part.filename, plain.read(part), zipfile.ZIP_DEFLATED)
    return file.getvalue()


BOMBS = {
    "a tensor of one number and a trillion places": lambda: as_torch({"a": torch.zeros(1).expand(10**12)}),
    "a sparse tensor of a trillion places": lambda: as_torch({"a": torch.sparse_coo_tensor([[0]], [1.0], (10**12,))}),
    "a tensor without numbers": lambda: as_torch({"a": torch.empty(10**12, device="meta")}),
    "an archive that unpacks to a hundred times its size": lambda: packed(1 << 25),
    "a bytearray": lambda: b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.",
    "a bytearray in an archive": lambda: as_torch({"a": bytearray(3)}),
    "a storage": lambda: b"\x80\x02ctorch\nFloatTensor\nJ\xff\xff\xff\x7f\x85R.",
    "dictionaries in each other, twice each": lambda: as_torch(laughs()),
    "a dictionary that holds itself": lambda: as_torch(circle()),
    "lists in each other": lambda: b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b".",
    "a quantised tensor": lambda: as_torch({"a": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)}),
    "nothing": lambda: b"",
    "a pickle of code": lambda: pickle.dumps(RunsCode(), protocol=2),
    "code in an archive": lambda: as_torch({"a": torch.ones(1), "b": RunsCode()}),
    "a zip of nothing": lambda: b"PK\x05\x06" + b"\x00" * 18,
    "the start of a zip": lambda: b"PK\x03\x04" + b"\xff" * 300,
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # what torch says of quantised tensors while the bomb is made
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused_by_name_and_nothing_runs(tmp_path, monkeypatch, memory, bomb):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bomb.pth").write_bytes(bomb())
    assert not is_read_or_refused(tmp_path / "bomb.pth")
    assert [path.name for path in tmp_path.iterdir()] == ["bomb.pth"]


def wide(network):
    """The architecture as plain data, of a width that no machine has room for."""
    said = json.dumps(dump(network.arch))
    return json.loads(said.replace('"width": 16', '"width": 16000000'))


def deep(n):
    held = []
    for _ in range(n):
        held = [held]
    return held


SAID = {
    "a list": lambda _: {"architecture": [1, 2]},
    "a number": lambda _: {"architecture": 3},
    "deeper than any": lambda _: {"architecture": deep(500)},
    "wider than any": lambda network: {"architecture": wide(network)},
    "another network": lambda _: {"architecture": dump(create_model("cct_2_3x2_32").arch)},
    "an op": lambda _: {"architecture": "Mean"},
    "a space": lambda _: {"architecture": {"Architecture": {"name": "", "stem": [], "stages": [{"OneOf": []}], "head": []}}},
    "classes that are a number": lambda _: {"classes": 3},
    "classes that are numbers": lambda _: {"classes": [1, 2, 3]},
    "preprocessing that is a list": lambda _: {"preprocess": [1]},
    "a mean that is text": lambda _: {"preprocess": {"mean": "x"}},
    "a mean of nothing": lambda _: {"preprocess": {"mean": [], "std": [None]}},
    "another format": lambda _: {"format": 7},
    "a format that is a list": lambda _: {"format": [1]},
    "a temperature that is none": lambda _: {"temperature": [1.0]},
    "a temperature of zero": lambda _: {"temperature": 0},
    "an infinite temperature": lambda _: {"temperature": float("inf")},
    "several labels that are text": lambda _: {"multi_label": "yes"},
}  # fmt: skip


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
def test_a_file_that_says_nonsense_of_itself_is_refused_by_name(network, tmp_path, memory, said):
    path = tmp_path / "a.safetensors"
    path.write_bytes(as_safetensors(network, tmp_path, **said(network)))
    assert not is_read_or_refused(path)


HEADERS = {
    "deep": b'{"__metadata__": {"glocal": "' + b"[" * 50_000 + b'"}}',
    "no object": headed(b"[]", b""),
    "endless": struct.pack("<Q", 2**63) + b"{}",
    "a huge shape": headed({"a": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 4]}}, b"\x00" * 4),
    "an odd type": headed({"a": {"dtype": "F4", "shape": [2], "data_offsets": [0, 1]}}, b"\x00"),
    "no numbers": headed({}, b""),
    "meta of a list": headed({"__metadata__": {"glocal": "[1]"}}, b""),
    "meta of nothing": headed({"__metadata__": {"glocal": ""}}, b""),
    "meta so deep": headed({"__metadata__": {"glocal": "[" * 100_000}}, b""),
}


@pytest.mark.parametrize("data", HEADERS.values(), ids=HEADERS)
def test_a_header_of_nonsense_is_refused_by_name(tmp_path, memory, data):
    (tmp_path / "a.safetensors").write_bytes(data)
    assert not is_read_or_refused(tmp_path / "a.safetensors")
