"""Weights are found in a file, a run, at a URL, on the hub or with timm; what is not there is said before anything is read."""

import pytest
import safetensors.torch
import torch

from glocal.caches import cache_folder
from glocal.errors import WeightError
from glocal.weights import create_model, find_weights
from glocal.weights import find as finding

MIXER = "convmixer_16_2_p2_k5_32"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GLOCAL_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def file(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "a.safetensors"
    safetensors.torch.save_file(create_model(MIXER).state_dict(), path)
    return path


def test_a_file_is_itself_and_a_run_its_best_weights(file, tmp_path):
    assert find_weights(file) == file
    best = tmp_path / "run" / "weights" / "best.safetensors"
    best.parent.mkdir(parents=True)
    best.write_bytes(file.read_bytes())
    assert find_weights(str(tmp_path / "run")) == best


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "nowhere.pth",
            r"no such file of weights; possible are a file, the folder of a run, https://.*, hf:.* and timm:NAME",
        ),
        ("hf:owner", "write hf:OWNER/REPO"),
        ("https://example.org/index.html", "names no file of weights; such names end in .safetensors"),
        ("timm:no_such_network", "timm has no network 'no_such_network'"),
        (
            "timm:convnext_tiny.nope",
            r"timm has no weights of that name; of convnext_tiny it has: .*convnext_tiny.fb_in1k",
        ),
        ("timm:resnet34", r"no architecture is called 'resnet34'; .* can still teach: --set teacher=timm:resnet34"),
    ],
)
def test_a_source_that_cannot_exist_is_told_with_what_is_possible(source, said):
    with pytest.raises(WeightError, match=said):
        find_weights(source)


def test_a_folder_that_is_no_run_and_a_run_without_an_epoch_are_told_apart(tmp_path):
    with pytest.raises(WeightError, match="is not the folder of a run"):
        find_weights(tmp_path)
    (tmp_path / "run.yaml").touch()
    with pytest.raises(WeightError, match="has finished no epoch yet"):
        find_weights(tmp_path)


def test_a_url_is_fetched_once_and_whole(file):
    import fsspec

    url = "memory://there/a.safetensors"
    with fsspec.open(url, "wb") as there:
        there.write(file.read_bytes())
    said = []
    kept = find_weights(url, echo=said.append)
    assert kept.parent == cache_folder("weights")
    assert kept.read_bytes() == file.read_bytes()
    assert f"fetching {url} (0.0 MB) to {kept}" == said[0]
    fsspec.filesystem("memory").rm("/there/a.safetensors")
    assert find_weights(url, echo=said.append) == kept
    assert len(said) == 1
    a, b = (create_model(MIXER, weights=source).state_dict() for source in (url, file))
    assert all(torch.equal(a[key], b[key]) for key in a)


def test_an_answer_that_is_no_file_of_weights_is_not_kept():
    import fsspec

    with fsspec.open("memory://there/page.pth", "wb") as there:
        there.write(b"<!DOCTYPE html><html>")
    with pytest.raises(WeightError, match=r"answers with no weights: it begins with b'<!DOCTYPE"):
        find_weights("memory://there/page.pth")
    assert not [*cache_folder("weights").glob("*")]


def test_a_download_cut_short_leaves_nothing(file, monkeypatch):
    import fsspec
    from fsspec.implementations.memory import MemoryFileSystem

    with fsspec.open("memory://there/b.safetensors", "wb") as there:
        there.write(file.read_bytes())
    monkeypatch.setattr(MemoryFileSystem, "size", lambda self, path: 10**9)
    with pytest.raises(WeightError, match=r"the connection ended after [\d,]+ of 1,000,000,000 bytes"):
        find_weights("memory://there/b.safetensors")
    assert not [p for p in cache_folder("weights").rglob("*") if p.is_file()]


def test_without_a_network_the_error_names_the_way_around(monkeypatch):
    def offline(*_, **__):
        raise OSError("Name or service not known")

    monkeypatch.setattr(finding.urllib.request, "urlopen", offline)
    with pytest.raises(
        WeightError, match=r"could not be fetched \(Name or .*; fetch the file where there is a network"
    ):
        find_weights("https://example.org/a.pth")


def test_the_hub_is_asked_for_safetensors_first_and_only_when_named(file, monkeypatch):
    import huggingface_hub
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    asked = []

    def download(repo, name):
        asked.append((repo, name))
        if name == "model.safetensors":
            raise EntryNotFoundError("404")
        return str(file)

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    assert find_weights("hf:owner/repo") == file
    assert asked == [("owner/repo", "model.safetensors"), ("owner/repo", "pytorch_model.bin")]
    assert find_weights("hf:owner/repo/sub/x.pth") == file
    assert asked[-1] == ("owner/repo", "sub/x.pth")
    find_weights("timm:convnext_atto")
    assert asked[-1][0].startswith("timm/convnext_atto")

    def offline(*_):
        raise LocalEntryNotFoundError("cannot find the requested files in the local cache")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", offline)
    with pytest.raises(WeightError, match=r"the hub was not reached .*fetch the file where there is a network"):
        find_weights("hf:owner/repo/x.pth")


def test_timms_weights_of_imagenet_know_their_classes():
    card = finding.timm_card("convnext_atto")
    assert len(card.classes) == 1000
    assert "n01440764" in card.classes
    assert finding.timm_card("convnext_tiny.fb_in22k").preprocess["size"] == [224, 224]
