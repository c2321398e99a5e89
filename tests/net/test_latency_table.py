"""An architecture's latency is the sum of its parts', which are measured once and kept. No time is judged here."""

import json
import random
from dataclasses import replace
from itertools import product

import pytest
import torch

from glocal.design import (
    Architecture,
    Conv,
    Depthwise,
    Grid,
    Linear,
    Mean,
    Norm,
    OneOf,
    Patches,
    Residual,
    Stage,
    decide,
)
from glocal.design import sample as draw
from glocal.design.architecture import parts
from glocal.design.span import reach
from glocal.errors import SearchError
from glocal.families import architecture
from glocal.families.convmixer import ConvMixerLayer
from glocal.families.vit import TransformerLayer
from glocal.net import Network, latency_table
from glocal.net.latency_table import LatencyTable, key, latency, pieces

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


def test_a_part_gets_its_picture_laid_out_as_in_the_network():
    small, large = mixer(3, 5), mixer(3, 9)
    assert [piece.channels_last for piece in pieces(small)] == [True] * 4
    assert [piece.channels_last for piece in pieces(large)] == [False] * 4
    for arch in (small, large):
        seen = []
        network = Network(arch).eval()
        network.stages[0].blocks[0].register_forward_pre_hook(lambda _, x: seen.append(x[0]))  # noqa: B023
        network(torch.randn(1, 3, 16, 16))
        _, block, *_ = pieces(arch)
        x = LatencyTable(None, CPU)._call(block).args[0]
        assert x.stride() == seen[0].stride()
    assert table_of(small, large).setting.threads == torch.get_num_threads()
    assert len(table_of(small, large)) == 8  # the common block and the stem in both layouts


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
    assert table.fill(space, tell=told.append) == len(table) == 10  # two layouts: kernels above 7 change it
    assert told[0].startswith(f"measuring 10 parts on {table.setting}: about ")
    rng = random.Random(0)
    for _ in range(20):
        latency(decide(space, draw(space, rng)), table)
    assert table.fill(space, tell=told.append) == 0
    assert len(told) == 1


@pytest.mark.parametrize(
    ("options", "stem", "layouts"),
    [
        ((ConvMixerLayer(3), ConvMixerLayer(5)), Patches(8, 4), {True}),
        ((ConvMixerLayer(3), TransformerLayer(2)), Patches(8, 4), {True, False}),  # if no block convolves
        ((ConvMixerLayer(3), TransformerLayer(2)), Conv(8, 3, 2), {True}),
        ((ConvMixerLayer(9), TransformerLayer(2)), Patches(8, 4), {False}),
        ((ConvMixerLayer(9), TransformerLayer(2)), Conv(8, 3, 2), {True, False}),
    ],
)
def test_filling_finds_every_layout_however_rare(options, stem, layouts):
    """One in 256 architectures has no convolution, or no large kernel, that decides over the layout."""
    block = OneOf(options)
    space = replace(mixer(), stem=(stem,), stages=(Stage(8, (block,) * 8),))
    possible = [*reach(space).values()]
    assert {*latency_table._layouts(possible)} == layouts
    for answers in product(range(2), repeat=8):
        arch = decide(space, answers)
        assert next(pieces(arch)).channels_last in layouts


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
