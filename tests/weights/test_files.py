"""Files of weights: read without running code, refused where they are not whole, written whole or not at all."""

import argparse
import errno
import io
import json
import os
import pickle
import stat

import pytest
import safetensors.torch
import torch

import glocal
from glocal.errors import RunError, WeightError
from glocal.net.saving import tensor_files
from glocal.net.saving.tensor_files import write_safetensors
from glocal.weights import Model, create_model, files, load_model, save_model

NAME = "cct_2_3x2_32"


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return glocal.create_model(NAME)


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


class RunsCode:
    """What a malicious checkpoint holds: unpickling it calls os.system."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_pth_is_refused_and_does_not_run(tmp_path, network, zipped):
    path, proof = tmp_path / "evil.pth", tmp_path / "ran"
    held = {"state_dict": network.state_dict(), "extra": RunsCode(f"touch {proof}")}
    torch.save(held, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(
        WeightError, match=r"evil.pth was not read, because that could run code .*: it holds a \w+\.system"
    ):
        create_model(NAME, weights=path)
    assert not proof.exists()
    path.write_bytes(pickle.dumps(RunsCode(f"touch {proof}"), protocol=2))
    with pytest.raises(WeightError, match=r"evil\.pth"):
        files.read(path)
    assert not proof.exists()


def test_a_whole_pickled_network_is_refused_by_the_name_of_its_class(tmp_path, network):
    torch.save(network, tmp_path / "net.pt")
    with pytest.raises(WeightError, match=r"it holds a glocal\.net\.network\.Network"):
        files.read(tmp_path / "net.pt")


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.1, 0.5, 0.999])
@pytest.mark.parametrize("kind", ["zip.pth", "old.pth", "net.safetensors"])
def test_a_file_that_was_cut_short_says_so(tmp_path, network, kind, kept):
    path = tmp_path / kind
    if kind.endswith(".pth"):
        torch.save(network.state_dict(), path, _use_new_zipfile_serialization=kind == "zip.pth")
    else:
        save_model(path, Model(network, (), {}))
    assert same(files.read(path).tensors, network.state_dict())
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(WeightError, match=rf"{kind} is not a whole .*was it cut short\?"):
        create_model(NAME, weights=path)


@pytest.mark.parametrize("name", ["none.pth", "none.safetensors"])
def test_a_file_that_is_not_there_says_so(tmp_path, name):
    with pytest.raises(WeightError, match="no such file of weights"):
        create_model(NAME, weights=tmp_path / name)


@pytest.mark.parametrize("held", [[1, 2], {}, {0: torch.zeros(1)}, {"epoch": 3}, torch.zeros(3)])
def test_a_file_without_tensors_by_name_says_so(tmp_path, held):
    torch.save(held, tmp_path / "odd.pth")
    with pytest.raises(WeightError, match=r"odd\.pth holds no tensors by name"):
        files.read(tmp_path / "odd.pth")


@pytest.mark.parametrize("key", ["state_dict", "model", "state_dict_ema"])
def test_training_checkpoints_are_opened_and_prefixes_taken_off(tmp_path, network, key):
    """timm's script stores its argparse arguments beside the weights; DistributedDataParallel says `module.` to each key."""
    own = network.state_dict()
    held = {
        key: {f"module.{k}": t for k, t in own.items()},
        "args": argparse.Namespace(lr=0.1),
        "epoch": 3,
        "arch": NAME,
    }
    torch.save(held, tmp_path / "last.pth.tar")
    assert same(create_model(NAME, weights=tmp_path / "last.pth.tar").state_dict(), own)


def test_a_prefix_that_only_some_keys_have_is_left_alone(tmp_path, network):
    held = {("module." if i else "") + key: t for i, (key, t) in enumerate(network.state_dict().items())}
    torch.save(held, tmp_path / "half.pth")
    with pytest.raises(WeightError, match=r"have no row: module\."):
        create_model(NAME, weights=tmp_path / "half.pth")


def test_weights_of_another_type_are_read_as_the_networks_own(tmp_path, network):
    torch.save({key: t.half() for key, t in network.state_dict().items()}, tmp_path / "half.pth")
    back = create_model(NAME, weights=tmp_path / "half.pth").state_dict()
    assert same(back, {key: t.half().float() for key, t in network.state_dict().items()})


def test_safetensors_of_others_have_no_meta_and_newer_ones_of_ours_are_refused(tmp_path, network):
    path = tmp_path / "plain.safetensors"
    safetensors.torch.save_file(network.state_dict(), path)
    assert files.read(path).meta == {}
    assert same(create_model(NAME, weights=path).state_dict(), network.state_dict())
    safetensors.torch.save_file(network.state_dict(), path, metadata={"glocal": json.dumps({"format": "99"})})
    with pytest.raises(WeightError, match="has format 99 and this glocal reads 1; use a newer glocal"):
        load_model(path)


# ------------------------------------------------------------------------------------------------------ writing


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("at", ["write", "fsync", "replace"])
@pytest.mark.parametrize("before", [True, False])
def test_a_full_disk_leaves_the_file_before_whole_and_no_other(tmp_path, network, monkeypatch, at, before):
    path = tmp_path / "net.safetensors"
    if before:
        save_model(path, Model(network, (), {}))
    there = path.read_bytes() if before else None
    if at == "write":

        class WithoutRoom(io.FileIO):
            write = full

        monkeypatch.setattr("glocal.files.open", WithoutRoom, raising=False)
    else:
        monkeypatch.setattr(os, at, full)
    with pytest.raises(RunError, match=r"net.safetensors could not be written: No space left on device") as caught:
        save_model(path, Model(network, (), {"other": 1}))
    assert ("the file that was there before is unchanged" in str(caught.value)) == before
    assert [p.name for p in tmp_path.iterdir()] == (["net.safetensors"] if before else [])
    assert not before or path.read_bytes() == there


def test_files_have_the_rights_of_any_new_file(tmp_path):
    before = os.umask(0o027)
    try:
        with files.whole_file(tmp_path / "weights") as file:
            file.write(b"numbers")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "weights").stat().st_mode) == 0o640


def test_an_interrupted_write_leaves_nothing_behind(tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(b"before")

    def interrupted():
        with files.whole_file(path) as file:
            file.write(b"after")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"weights": b"before"}


def test_missing_folders_are_made(tmp_path, network):
    path = tmp_path / "runs" / "first" / "best.safetensors"
    save_model(path, Model(network, (), {}))
    assert same(load_model(path).network.state_dict(), network.state_dict())


def test_too_little_memory_while_weights_are_written_is_a_memory_error(tmp_path, monkeypatch):
    def none_left(size):
        assert size == 2 * 4 * 1000
        raise MemoryError

    monkeypatch.setattr(tensor_files, "bytes", none_left, raising=False)
    with pytest.raises(MemoryError):
        write_safetensors(tmp_path / "x.safetensors", {"a": torch.zeros(1000)}, meta={})
    assert not [*tmp_path.iterdir()]
