"""An architecture's latency is the sum of its parts', which are measured once and kept. No time is judged here."""

import json
import random
from dataclasses import dataclass, replace
from itertools import product

import pytest
import torch

from glocal.design import (
    Architecture,
    Depthwise,
    Grid,
    Linear,
    Mean,
    Norm,
    OneOf,
    Patches,
    Residual,
    Stage,
    adapt,
    decide,
)
from glocal.design import sample as draw
from glocal.design.architecture import parts
from glocal.design.span import reach
from glocal.errors import SearchError
from glocal.families import architecture
from glocal.families.convmixer import ConvMixerLayer
from glocal.families.vit import TransformerLayer
from glocal.net import Network
from glocal.net.timing import latency_table
from glocal.net.timing.latency_table import LatencyTable, key, latency, pieces

CPU = torch.device("cpu")


def mixer(*kernels):
    blocks = tuple(ConvMixerLayer(kernel) for kernel in kernels)
    return Architecture("mixer", (Patches(8, 4),), (Stage(8, blocks),), (Mean(), Linear(3)), Grid(3, 16, 16))


def table_of(*archs, path=None, **settings):
    table = LatencyTable(path, CPU, rounds=3, **settings)
    table.measure_missing(piece for arch in archs for piece in pieces(arch))
    return table


def test_an_architectures_latency_is_the_sum_over_its_parts():
    arch = mixer(3, 5, 3, 3)
    table = table_of(arch)
    assert len(table) == 4  # stem, two kinds of blocks, head
    each = [table[piece] for piece in pieces(arch)]
    assert len(each) == len([*parts(arch)]) == 6
    assert latency(arch, table) == pytest.approx(sum(each))
    assert all(ms > 0 for ms in each)
    more = latency(mixer(3, 5, 3, 3, 5), table)
    assert more - latency(arch, table) == pytest.approx(table[[*pieces(arch)][2]])


@pytest.fixture
def nan_where_unset(monkeypatch):
    """What torch.empty leaves is NaN, so that a table which nobody filled shows."""
    empty = torch.empty

    def filled(*shape, **of):
        made = empty(*shape, **of)
        return made.detach().fill_(torch.nan) if made.is_floating_point() else made

    monkeypatch.setattr(torch, "empty", filled)


@pytest.mark.parametrize("name", ["glit_tiny_area_14", "cvt_2_4_32_sine", "coatnet_nano_rw_224", "convnext_atto"])
def test_parts_of_every_kind_can_be_measured(name, nan_where_unset):
    """Each piece runs on an input of the shape that its part is given, and leaves the shape that the next one is given."""
    arch = architecture(name)
    table, run = LatencyTable(None, CPU, batch_size=2), {}
    for piece, (_, part) in zip(pieces(arch), parts(arch), strict=True):
        with torch.inference_mode():
            run[part] = table._call(piece)()
    for (_, part), (_, after) in zip([*parts(arch)][:-1], [*parts(arch)][1:], strict=True):
        assert run[part].shape == latency_table._input(after.given, 2, channels_last=False).shape
        assert run[part].isfinite().all()


LAYOUTS = ("coatnet_0", "convnext_atto", "swin_tiny", "poolformer_s12", "mobilenetv4_conv_small", "cct_7_3x1_32")


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_part_gets_its_picture_laid_out_as_in_the_network(name):
    arch = adapt(architecture(name), size=64)
    network, seen = Network(arch).eval(), {}
    told = [(path, piece) for (path, _), piece in zip(parts(arch), pieces(arch), strict=True) if path != "head"]
    for path, _ in told:
        network.get_submodule(path).register_forward_pre_hook(lambda _, x, path=path: seen.update({path: x[0]}))
    with torch.no_grad():
        network(torch.randn(2, 3, 64, 64))
    for path, piece in told:
        x = LatencyTable(None, CPU, batch_size=2)._call(piece).args[0]
        if x.ndim == 4 and min(x.shape[2:]) > 1:  # a grid of one place lies both ways
            assert x.stride() == seen[path].stride(), path


def test_what_is_not_measured_is_an_error_that_names_the_part():
    table = table_of(mixer(3, 5))
    with pytest.raises(
        SearchError, match=r"mixer, stages.0.blocks.1, given 8x4x4: ConvMixerLayer\(.*7.*not been measured"
    ):
        latency(mixer(3, 7), table)
    assert table.measure_missing(pieces(mixer(3, 7))) == 1
    assert latency(mixer(3, 7), table) > 0


def test_every_part_is_measured_once(monkeypatch):
    calls = []
    real = LatencyTable._call
    monkeypatch.setattr(LatencyTable, "_call", lambda self, piece: calls.append(key(piece)) or real(self, piece))
    table = table_of(mixer(3, 5, 3), mixer(5, 5))
    assert len(calls) == len(set(calls)) == len(table) == 4
    assert table.measure_missing(pieces(mixer(5, 3))) == 0


def test_filling_measures_what_any_answer_needs():
    block = OneOf((ConvMixerLayer(3), ConvMixerLayer(5), ConvMixerLayer(9)))
    space = replace(mixer(), stages=(Stage(8, (block, block)),))
    table, told = LatencyTable(None, CPU, rounds=3), []
    assert table.fill(space, echo=told.append) == len(table) == 5  # stem, three blocks, head
    assert told[0].startswith(f"measuring 5 parts on {table.setting}: about ")
    rng = random.Random(0)
    for _ in range(20):
        latency(decide(space, draw(space, rng)), table)
    assert table.fill(space, echo=told.append) == 0
    assert len(told) == 1


@dataclass(frozen=True)
class Bare:
    """A word without a residual."""

    def spell(self, width_in, width, stride):
        return Norm("layer"), Linear(width)


def test_filling_finds_every_layout_however_rare():
    """Behind a LayerNorm channels come last; a residual's sum keeps the layout that it is given."""
    block = OneOf((ConvMixerLayer(3), TransformerLayer(2), Bare()))
    bare = OneOf((ConvMixerLayer(3), TransformerLayer(2)))
    space = replace(mixer(), stages=(Stage(8, (bare, block, block, bare)),))
    possible = {key(piece) for piece in latency_table.possible_pieces([*reach(space).values()])}
    for answers in product(range(2), range(3), range(3), range(2)):
        assert {key(piece) for piece in pieces(decide(space, answers))} <= possible


def test_the_file_holds_the_same_numbers_for_another_process(tmp_path):
    path, arch = tmp_path / "deep" / "latency.json", mixer(3, 5)
    first = table_of(arch, path=path)
    again = LatencyTable(path, CPU)
    assert again.measure_missing(pieces(arch)) == 0
    assert latency(arch, again) == latency(arch, first)
    assert [*tmp_path.rglob("*.new")] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("device", "Abacus 3000"), ("batch_size", 7), ("threads", 99), ("torch", "1.0"), ("precision", "bf16")],
)
def test_a_file_of_another_setting_is_refused(tmp_path, name, value):
    path = tmp_path / "latency.json"
    table_of(mixer(3), path=path)
    told = json.loads(path.read_text())
    told["setting"][name] = value
    path.write_text(json.dumps(told))
    said = {"batch_size": "7 pictures a pass", "threads": "99 threads", "torch": "torch 1.0"}.get(name, value)
    with pytest.raises(SearchError, match=rf"latency.json was measured on .*{said}.*; this is .*remove it"):
        LatencyTable(path, CPU)


@pytest.mark.parametrize("text", ["", "[]", '{"setting": {}}', '{"setting": {"device": 1}, "parts": [{}]}'])
def test_a_file_that_is_no_table_is_refused(tmp_path, text):
    path = tmp_path / "latency.json"
    path.write_text(text)
    with pytest.raises(SearchError, match=r"latency.json is no table of latencies"):
        LatencyTable(path, CPU)


def test_the_setting_reaches_the_measured_pass(monkeypatch):
    seen = []

    def measured(calls, *, bf16, **rest):
        seen.append((bf16, {call.args[0].shape[0] for call in calls.values()}, torch.get_num_threads()))
        return {name: [2.0, 1.0, 3.0] for name in calls}

    monkeypatch.setattr(latency_table, "measure_calls", measured)
    before = torch.get_num_threads()
    table = LatencyTable(None, CPU, batch_size=5, bf16=True)
    torch.set_num_threads(before + 1)
    try:
        table.measure_missing(pieces(mixer(3)))
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)
    assert seen == [(True, {5}, before)]
    assert table.setting.precision == "bf16"
    assert latency(mixer(3, 3), table) == 4.0  # the fastest pass of each of four parts


def test_parts_that_do_not_fit_into_memory_together_are_measured_apart(monkeypatch):
    groups = []
    real = LatencyTable._measured
    monkeypatch.setattr(
        LatencyTable, "_measured", lambda self, calls, **k: groups.append(len(calls)) or real(self, calls, **k)
    )
    monkeypatch.setattr(latency_table, "_TURN_BYTES", 3000)
    whole = replace(
        mixer(3, 5), head=(Norm("layer"), Mean(), Linear(3)), stem=(Patches(8, 4), Residual((Depthwise(3),)))
    )
    assert len(table_of(whole)) == sum(groups) == 4
    assert len(groups) > 1
