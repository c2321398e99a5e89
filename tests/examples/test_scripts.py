"""The scripts run from the pictures to their tables: two steps of each network, from scratch and from weights trained here."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from backbones import (
    NETWORKS,
    STRIDES,
    Backbone,
    Model,
    Preprocess,
    backbone,
    fit,
    levels,
    multiply_adds,
    save_model,
    steps_in,
)
from scenes import SIDE, make
from torch import nn

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_has_maps_at_three_strides_of_about_the_same_cost(name):
    network = NETWORKS[name](10)
    pyramid, x = levels(network).eval(), torch.rand(1, 3, SIDE, SIDE)
    assert [tuple(each.shape[1:]) for each in pyramid(x)] == [
        (width, SIDE // stride, SIDE // stride) for width, stride in zip(pyramid.widths, STRIDES, strict=True)
    ]
    cost = multiply_adds(pyramid) / 1e6
    assert 90 < cost < 125 or name == "resnet18"
    maps = Backbone(network).eval()(x)
    assert [each.shape[1:] for each in maps.values()] == [(64, SIDE // s, SIDE // s) for s in STRIDES]


def test_weights_of_a_classifier_are_in_the_backbone(tmp_path):
    network = NETWORKS["glit"](7)
    save_model(tmp_path / "glit.safetensors", Model(network, tuple("abcdefg"), Preprocess((64, 64)).to_json()))
    loaded = backbone("glit", tmp_path / "glit.safetensors").levels.pyramid.stages.state_dict()
    assert loaded.keys() == network.stages.state_dict().keys()
    assert all(torch.equal(loaded[key], value) for key, value in network.stages.state_dict().items())


def test_steps_share_the_time_and_the_rate_rises_and_falls(monkeypatch):
    spent, now = {"quick": 1, "slow": 4}, [0.0]
    monkeypatch.setattr("backbones.time.process_time", lambda: now[0])

    def model(seconds):
        linear = nn.Linear(2, 1)

        def loss():
            now[0] += seconds
            return linear(torch.ones(1, 2)).square().sum()

        return linear, loss

    assert steps_in(100, {name: model(seconds) for name, seconds in spent.items()}) == {"quick": 100, "slow": 25}
    rates = []
    monkeypatch.setattr(
        "backbones.update", lambda model, optimizer, loss: rates.append(optimizer.param_groups[0]["lr"])
    )
    fit(*model(0), 100, rate=1.0)
    assert len(rates) == 100
    assert np.argmax(rates) == 5  # the first behind a twentieth
    assert rates[0] < 0.25
    assert rates[-1] < 0.01


@pytest.mark.slow
def test_from_pictures_to_tables(sources, tmp_path):
    pytest.importorskip("segmentation_models_pytorch")

    def run(name: str, *words: str | Path) -> list[str]:
        command = [sys.executable, str(EXAMPLES / f"{name}.py"), *map(str, words)]
        done = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().split("\n")

    for split in ("train", "val"):
        make(sources / "cifar", sources / "photos", tmp_path, n=8, split=split, seed=0)
    names = list(NETWORKS)
    trained = run("backbones", sources / "cifar", tmp_path, "--steps", 2)
    assert [row.split(" | ")[0] for row in trained[2:]] == [f"| `{name}`" for name in names]
    for script, option, tasks in (
        ("detect", "--detector", ("faster_rcnn", "mask_rcnn", "retinanet")),
        ("segment", "--head", ("fpn", "upernet")),
    ):
        for task in tasks:
            chosen = names if task == tasks[0] else ["cct", "coatnet"]
            words = (script, tmp_path, option, task, "--steps", 2, "--networks", ",".join(chosen))
            rows = run(*words)
            assert [row.split(" | ")[:3] for row in rows[2:]] == [
                [f"| `{name}`", start, "2"] for start in ("scratch", "pretrained") for name in chosen
            ]
            kept = sorted((tmp_path / task).glob("*.npz"))
            assert len(kept) == 2 * len(chosen)
            before = [file.stat().st_mtime_ns for file in kept]
            assert run(*words) == rows, "what is there is not trained again"
            assert [file.stat().st_mtime_ns for file in kept] == before
