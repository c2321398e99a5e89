"""Our networks give the logits of the authors' own code, loaded from the authors' own keys."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import glocal
from glocal.families.convnext import ConvNeXtBlock
from glocal.weights import SOURCES, export, load_into
from glocal.weights.translate import recognise
from sampled import but_slow

GOLDEN = Path(__file__).parent.parent / "golden"
LARGE = {
    "convmixer_1536_20_p7_k9",
    "convmixer_768_32_relu",
    "convnext_base",
    "convnext_isotropic_large",
    "convnext_large",
}
FIXTURES = sorted(path.stem for path in GOLDEN.glob("*.json"))

_spec = importlib.util.spec_from_file_location("fill", GOLDEN / "fill.py")
golden = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(golden)


def theirs(fixture: dict, *, tables: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    made = {
        "fill": lambda key, shape: torch.from_numpy(golden.fill(key, tuple(shape))).double(),
        "constant": lambda key, _: tables[key],
        "integer": lambda *_: torch.tensor(0),
    }
    return {key: made[kind](key, shape) for key, shape, kind in fixture["tensors"]}


@pytest.fixture(params=but_slow(FIXTURES, LARGE), ids=FIXTURES)
def parity(request):
    fixture = json.loads((GOLDEN / f"{request.param}.json").read_text())
    arch = glocal.architecture(fixture["name"])
    if not any("gamma" in key for key, _, _ in fixture["tensors"]) and "convnext" in arch.name:
        (stage,) = arch.stages  # the authors' constructor has no LayerScale unless told; their command for L tells it
        arch = replace(arch, stages=(replace(stage, blocks=(ConvNeXtBlock(scale=0.0),) * len(stage.blocks)),))
    network = glocal.create_model(arch).double().eval()
    keys = {key for key, _, _ in fixture["tensors"]}
    said = recognise(keys, network)
    assert fixture["source"].split(" ")[0] in said.source
    source = next(s for s in SOURCES if s.name == said.source)
    tables = {key: t for key, t in export(network, source).items() if "positional" in key}
    return fixture, network, source, theirs(fixture, tables=tables)


def test_logits_are_the_authors_to_their_rounding(parity):
    fixture, network, source, weights = parity
    assert load_into(network, weights) == source.name
    x = torch.from_numpy(golden.image(fixture["batch"], fixture["channels"], fixture["image_size"])).double()
    with torch.no_grad():
        logits = network(x).numpy()
    shown = np.array(fixture["logits"])
    np.testing.assert_allclose(logits[:, : shown.shape[1]], shown, atol=1e-6, rtol=0)
    np.testing.assert_allclose(logits.sum(1), fixture["logits_sum"], atol=2e-5, rtol=0)


def test_export_to_the_authors_keys_and_back_changes_no_bit(parity):
    fixture, network, source, weights = parity
    load_into(network, weights)
    exported = export(network, source)
    assert {k: tuple(t.shape) for k, t in exported.items()} == {k: tuple(shape) for k, shape, _ in fixture["tensors"]}
    assert all(torch.equal(exported[key], tensor) for key, tensor in weights.items())
