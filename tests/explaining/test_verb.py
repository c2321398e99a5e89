"""The verb: files, pages and errors."""

import json

import numpy as np
import pytest
from PIL import Image

import glocal
from glocal.cli.app import main
from glocal.data.batches.preprocess import Preprocess
from glocal.weights import Model, build_network, find_architecture, save_model
from glocal.weights.networks.any_network import adapt_any


@pytest.fixture
def weights(tmp_path):
    """Networks as files of weights, and pictures that are not square."""
    for name in ("cct_2_3x2_32", "convmixer_128_4_p1_k8_32"):
        network = glocal.create_model(name, num_classes=3)
        save_model(tmp_path / f"{name}.safetensors", Model(network, ("a", "b", "c"), Preprocess((32, 32)).to_json()))
    rng = np.random.default_rng(0)
    for i in range(2):
        Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(tmp_path / f"picture{i}.png")
    return tmp_path


def run(monkeypatch, capsys, *words) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["glocal", "explain", *map(str, words)])
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    return code, *capsys.readouterr()


def test_pictures(weights, monkeypatch, capsys):
    pictures = sorted(weights.glob("*.png"))
    code, out, err = run(
        monkeypatch, capsys, weights / "cct_2_3x2_32.safetensors", *pictures, "--method", "all", "--pastes", 2, "--json"
    )
    assert code == 0, err
    found = json.loads(out)
    folder = weights / "explain"
    assert found["methods"] == ["gradcam", "attention", "seqpool", "occlusion", "features"]
    assert set(found["checks"]) == set(found["methods"])
    assert len([*folder.glob("*.png")]) == 10
    with np.load(folder / "maps.npz") as maps:
        assert {maps[key].shape for key in maps} == {(40, 60)}
        assert len(maps.files) == 10
    page = (folder / "explain.html").read_text()
    assert "://" not in page, "the page needs no network"
    for method in found["checks"].values():
        for sentence in method["warnings"]:
            assert sentence.partition(":")[0] in page
    json.loads((folder / "explain.json").read_text())


def test_without_checks_the_page_says_so(weights, monkeypatch, capsys):
    command = weights / "cct_2_3x2_32.safetensors", weights / "picture0.png", "--no-checks", "--target", "b"
    for folder in ("explain", "explain-2"):
        code, out, _ = run(monkeypatch, capsys, *command)
        assert code == 0
        assert f"{folder}/explain.html" in out
        assert "checks were left out" in (weights / folder / "explain.html").read_text()


def test_networks_side_by_side(weights, monkeypatch, capsys):
    first, second = (weights / f"{name}.safetensors" for name in ("cct_2_3x2_32", "convmixer_128_4_p1_k8_32"))
    code, out, err = run(monkeypatch, capsys, first, "--network", "--against", second, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert [network["name"] for network in found["networks"]] == ["cct_2_3x2_32", "convmixer_128_4_p1_k8_32"]
    page = (weights / "network" / "network.html").read_text()
    assert "Depthwise kernels" in page
    assert "cct_2_3x2_32 has none" in page
    assert "Similarity of positions" in page


def test_errors_say_what_to_do(weights, monkeypatch, capsys):
    file, picture = weights / "convmixer_128_4_p1_k8_32.safetensors", weights / "picture0.png"
    for words, message in (
        ((file,), "name the pictures to explain"),
        ((file, picture, "--method", "attention"), "no layer of attention; possible are"),
        ((file, picture, "--target", "z"), "known: a, b, c"),
        ((file, picture, "--against", file), "no effect without --network"),
        ((file, "--network", "--no-checks"), "--no-checks has no effect with --network"),
        ((file, weights / "missing.png"), "missing.png"),
    ):
        code, _, err = run(monkeypatch, capsys, *words)
        assert code != 0
        assert message in err, words


@pytest.mark.parametrize("name", ["timm:test_vit", "timm:test_resnet"])
def test_networks_of_timm_are_explained_from_their_files(name, tmp_path):
    network = build_network(adapt_any(find_architecture(name), classes=3, size=64))
    save_model(tmp_path / "timm.safetensors", Model(network, ("a", "b", "c"), Preprocess((64, 64)).to_json()))
    picture = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "picture.png")
    found = glocal.explain(tmp_path / "timm.safetensors", tmp_path / "picture.png", pastes=2)
    assert found.network == name
    assert found.pictures[0].maps["gradcam"].shape == (40, 60)
    (whole,) = glocal.explain_network(tmp_path / "timm.safetensors")
    assert whole.fields
    assert bool(whole.distances) == (name == "timm:test_vit")
    assert (
        reason := whole.no_attention
    ) == "" or f"No attention distances: {reason}" in whole.page.read_text().replace("&#39;", "'")
