"""What docs/extending.md says is enough: the catalogue's line makes a family known everywhere. `test_blocks` runs the page."""

from pathlib import Path

import pytest
import torch

import glocal
from docs.blocks import blocks
from glocal import design
from glocal.design import Op
from glocal.errors import ArchitectureError
from glocal.families import catalogue, list_models, vocabulary
from glocal.net.build import LAYERS, build
from glocal.weights import export
from glocal.weights.tables import Source

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "extending.md"


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What the page's Python blocks, run one after the other, have defined."""
    names = {"__name__": "__main__"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("page"))
        for block in blocks(PAGE):
            exec(block.text, names)
    return names


def test_one_line_in_the_catalogue_makes_a_family_known_everywhere(said, monkeypatch):
    with pytest.raises(ArchitectureError):
        glocal.architecture("faster_small")
    monkeypatch.setattr(catalogue, "FAMILIES", (*catalogue.FAMILIES, said["FAMILY"]))
    arch = glocal.architecture("faster_small")
    assert "faster_small" in list_models("fast*")
    assert design.load(design.dump(arch), vocabulary()) == arch


def test_the_table_of_names_has_a_row_for_every_weight(said):
    ((name, rows),) = said["WEIGHTS"].items()
    network = glocal.create_model(said["fasternet"]("faster_small", *said["SIZES"]["small"]))
    keys = export(network, Source(name, rows))
    assert len(keys) == len(network.state_dict())
    assert keys["stages.1.0.mlp.0.weight"].shape == (160, 80, 1, 1)


def test_the_shift_moves_each_share_one_position_its_own_way(said):
    x = torch.arange(4.0 * 3 * 3).view(1, 4, 3, 3)
    moved = build((said["Shift"](4),), design.Grid(4, 3, 3))(x)
    ways = ((0, -1, 2), (1, 1, 2), (2, -1, 1), (3, 1, 1))
    for c, by, axis in ways:
        rolled = x[:, c].roll(by, axis)
        rolled.select(axis, -1 if by < 0 else 0).zero_()
        assert torch.equal(moved[:, c], rolled)


def test_every_op_of_the_alphabet_has_its_line_in_both_lists_and_no_other_has():
    spoken = {getattr(design, name) for name in design.__all__}
    assert {cls for cls in spoken if isinstance(cls, type) and issubclass(cls, Op) and cls is not Op} == LAYERS.keys()


def test_an_op_without_a_layer_says_how_to_give_it_one():
    class Silent(Op):
        pass

    with pytest.raises(ArchitectureError, match=r"no layer computes .*; give Silent a method layer\(self, s\)"):
        build((Silent(),), design.Grid(1, 2, 2))
