"""The layout of a run: plain unless it was asked for or measured, and what was measured is kept in run.yaml."""

import pytest
import yaml

import glocal
from glocal.errors import RecipeError
from glocal.net import layout as layouts
from glocal.recipes.schema import Recipe
from glocal.runs import layout as run_layout
from glocal.runs.layout import set_layout
from glocal.weights import build_network

SMALL = {"epochs": 1, "batch_size": 64, "img_size": 16, "model": "cct_2_3x2_32", "device": "cpu"}


def trained(tmp_path, **settings):
    return glocal.train("digits", output=tmp_path, **SMALL, **settings)


@pytest.mark.slow
def test_a_measured_layout_is_named_in_the_run_and_kept_when_it_is_repeated(tmp_path, monkeypatch):
    real, asked = layouts.measure_layouts, []

    def measure(step, network, **how):
        asked.append({name for name, ms in real(step, network, rounds=1, **how).items() if ms > 0})
        return {"plain": 10.0, "channels_last": 5.0}

    monkeypatch.setattr(run_layout, "measure_layouts", measure)
    run = trained(tmp_path, layout="measured")
    told = yaml.safe_load((run.folder / "run.yaml").read_text())
    assert told["settings"]["layout"] == "channels_last"
    assert told["origins"]["layout"].startswith("measured: plain 10 ms, channels_last 5 ms a step of 64 pictures on ")
    assert asked == [{"plain", "channels_last"}]
    assert glocal.rerun(run.folder).same
    assert len(asked) == 1


def test_a_network_of_timm_has_no_other_layout():
    recipe = Recipe(model="timm:resnet10t")
    network = build_network(glocal.architecture("cct_2_3x2_32"))
    set_layout(network, recipe.merged({"layout": "channels_last"}))
    assert network.layout == "channels_last"
    set_layout(network, recipe)
    assert network.layout == "plain"
    with pytest.raises(RecipeError, match="not of timm"):
        set_layout(object(), recipe.merged({"layout": "channels_last"}))
