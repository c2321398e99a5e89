"""Learned positions are carried to the grid of another picture size; the rows of class tokens stay as they are."""

import pytest
import torch

import glocal
from glocal.errors import WeightError
from glocal.net.layers import Position
from glocal.weights import Model, export, load_into, save_model
from glocal.weights.tables import SHI_LABS


def layer(h, w, *, extra=0, c=1, resize="bilinear"):
    return Position(torch.zeros(1, h * w + extra, c), learned=True, grid=(h, w), resize=resize)


def resized(values, to):
    return to.carried(torch.tensor(values, dtype=torch.float64)[None, :, None], None)[0, :, 0].tolist()


@pytest.mark.parametrize(
    ("values", "side", "shown"),
    [
        ([0, 1, 2, 3], 3, [0, 0.5, 1, 1, 1.5, 2, 2, 2.5, 3]),
        ([0, 1, 2, 3], 4, [0, 0.25, 0.75, 1, 0.5, 0.75, 1.25, 1.5, 1.5, 1.75, 2.25, 2.5, 2, 2.25, 2.75, 3]),
        (range(16), 2, [2.5, 4.5, 10.5, 12.5]),
        (range(16), 3, [0.8333, 2.1667, 3.5, 6.1667, 7.5, 8.8333, 11.5, 12.8333, 14.1667]),
    ],
)
@pytest.mark.parametrize("token", [[], [9]])
def test_the_authors_interpolation(values, side, shown, token):
    assert resized([*token, *values], layer(side, side, extra=len(token))) == pytest.approx([*token, *shown], abs=1e-4)


def test_a_grid_of_its_own_size_is_not_touched():
    table = torch.randn(1, 17, 8)
    assert layer(4, 4, extra=1, c=8).carried(table, None) is table
    assert layer(4, 4, extra=1, c=8).carried(table, (4, 4)) is table


@pytest.mark.parametrize("resize", ["bilinear", "bicubic"])
def test_constant_rows_stay_constant_on_any_grid(resize):
    table = torch.full((1, 13, 5), 0.25)
    for h, w in ((1, 7), (5, 2), (12, 1), (6, 6)):
        out = layer(h, w, extra=1, c=5, resize=resize).carried(table, (3, 4))
        torch.testing.assert_close(out, torch.full((1, h * w + 1, 5), 0.25))


def test_as_many_places_on_another_grid_are_resized_too():
    """16 x 64 and 32 x 32 pictures both have 64 tokens, and not the same ones."""
    ramp = torch.arange(4.0).repeat_interleave(4)[None, :, None]  # a 4 x 4 grid that grows downward
    out = layer(2, 8).carried(ramp, (4, 4))[0, :, 0].view(2, 8)
    torch.testing.assert_close(out, torch.tensor([0.5, 2.5])[:, None].expand(2, 8))


def test_places_that_form_no_square_are_refused():
    with pytest.raises(WeightError, match=r"positions for 12 places, which is no square grid; name it: grid=\(h, w\)"):
        layer(4, 4, c=8).carried(torch.zeros(1, 12, 8), None)


@pytest.mark.parametrize("size", [16, 48, (24, 40)])
@pytest.mark.parametrize("name", ["cct_2_3x2_32", "vit_lite_2_4_32"])
def test_img_size_carries_the_authors_positions_along(name, size, tmp_path):
    torch.manual_seed(0)
    source = glocal.create_model(name)
    torch.save(export(source, SHI_LABS), tmp_path / "theirs.pth")
    network = glocal.create_model(name, img_size=size, weights=tmp_path / "theirs.pth")
    ours, theirs = network.stem.learned_position1, source.stem.learned_position1
    extra = int("vit" in name)
    assert torch.equal(ours.table[:, :extra], theirs.table[:, :extra])
    grid_1CHW = theirs.table[:, extra:].mT.reshape(1, 128, 8, 8)
    expected = torch.nn.functional.interpolate(grid_1CHW, ours.grid, mode="bilinear").flatten(2).mT
    torch.testing.assert_close(ours.table[:, extra:], expected)
    others = {key: t for key, t in source.state_dict().items() if "position" not in key}
    assert all(torch.equal(network.state_dict()[key], t) for key, t in others.items())


@pytest.mark.parametrize(("wide", "then"), [((16, 64), (32, 32)), ((16, 64), (16, 32)), ((24, 40), (48, 80))])
def test_our_files_know_their_grid_so_that_rectangles_are_carried_too(wide, then, tmp_path):
    torch.manual_seed(0)
    source = glocal.create_model("cct_2_3x2_32", img_size=wide)
    save_model(tmp_path / "wide.safetensors", Model(source, tuple("abcdefghij"), {}))
    network = glocal.create_model("cct_2_3x2_32", img_size=then, weights=tmp_path / "wide.safetensors")
    grid_1CHW = source.stem.learned_position1.table.mT.reshape(1, 128, wide[0] // 4, wide[1] // 4)
    expected = torch.nn.functional.interpolate(grid_1CHW, (then[0] // 4, then[1] // 4), mode="bilinear").flatten(2).mT
    torch.testing.assert_close(network.stem.learned_position1.table, expected)


def test_a_sinusoid_is_made_anew_for_another_size():
    source = glocal.create_model("cct_2_3x2_32_sine")
    network = glocal.create_model("cct_2_3x2_32_sine", img_size=48)
    assert load_into(network, export(source, SHI_LABS)) == SHI_LABS.name
    assert torch.equal(network.stem.sine_position1.table[:, :64], source.stem.sine_position1.table)
