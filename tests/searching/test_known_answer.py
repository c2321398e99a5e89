"""A supernet must find an order that everybody knows: where networks differ a lot, its order is theirs."""

import pytest

import glocal
from glocal.design import Architecture, Conv, Linear, Mean, Norm, Stage, dump
from glocal.design.shapes import Grid
from glocal.design.space import vary
from glocal.families.convmixer import ConvMixerLayer
from glocal.files import write_yaml

BATCH = Norm("batch", 1e-5)


def blind_or_not() -> Architecture:
    """27 networks whose blocks see a pixel (which is broken), three or seven: what a network sees of a digit decides how well it
    reads it, from hardly better than chance to almost always."""
    block = vary(ConvMixerLayer(3), {"kernel": (1, 3, 7)})
    stem = Conv(12, 1, 1, padding=0), BATCH
    return Architecture("blind_or_not", stem, (Stage(12, (block,) * 3),), (Mean(), Linear(10)), Grid(1, 8, 8))


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["supernet", "fair"])
def test_a_supernet_orders_networks_that_differ_a_lot_as_training_does(tmp_path, strategy):
    write_yaml(tmp_path / "space.yaml", dump(blind_or_not()))
    found = glocal.search(
        "digits",
        space=str(tmp_path / "space.yaml"),
        strategy=strategy,
        supernet_epochs=40,
        candidates=4,
        finalists=1,
        calibration=200,
        finalist_epochs=5,
        recipe="small",
        img_size=8,
        batch_size=64,
        warmup_epochs=1,
        crop="none",
        hflip=0.0,
        mean=(0.5,),
        std=(0.5,),
        output=tmp_path,
    )
    ranked = glocal.rank_supernet(found.folder, networks=9, seeds=2)
    print(ranked.rank, ranked.reliability, sep="\n")
    assert ranked.reliability.spread > 0.1, "the networks differ a lot"
    assert ranked.rank.tau.value > 0.8
    assert ranked.rank.ceiling.value > 0.7
