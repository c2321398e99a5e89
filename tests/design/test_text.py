"""Texts of an architecture, as a person reads them."""

import pytest

from glocal.design import Architecture, Conv, Grid, Linear, Mean, Norm, Stage, adapt, dump, load, python, show, spell
from glocal.design.text import count, words
from glocal.families import architecture, vocabulary
from glocal.families.convmixer import ConvMixerLayer

TINY = Architecture(
    "tiny",
    stem=(Conv(8, 3, 2), Norm("batch")),
    stages=(Stage(8, (ConvMixerLayer(3), ConvMixerLayer(3), ConvMixerLayer(5, "relu"))),),
    head=(Mean(), Linear(10)),
    image=Grid(3, 16, 16),
)


def test_plain_data_say_what_differs_from_the_defaults_and_fold_repeats():
    layer = {"2 x": {"ConvMixerLayer": {"kernel": 3}}}, {"ConvMixerLayer": {"kernel": 5, "act": "relu"}}
    assert dump(TINY) == {
        "Architecture": {
            "name": "tiny",
            "stem": [{"Conv": {"width": 8, "kernel": 3, "stride": 2}}, {"Norm": {"kind": "batch"}}],
            "stages": [{"Stage": {"width": 8, "blocks": [*layer]}}],
            "head": ["Mean", {"Linear": {"width": 10}}],
            "image": {"Grid": [3, 16, 16]},
        }
    }


def test_the_expression_is_the_shortest():
    assert python(TINY.stages[0]) == ("Stage(8, (ConvMixerLayer(3), ConvMixerLayer(3), ConvMixerLayer(5, 'relu')))")
    assert python((ConvMixerLayer(3),) * 4) == "(ConvMixerLayer(3),) * 4"
    assert python((Mean(),)) == "(Mean(),)"
    assert {cls.__name__ for cls in words(TINY)} == {
        *("Architecture", "Conv", "ConvMixerLayer", "Grid", "Linear", "Mean", "Norm", "Stage")
    }


def test_the_page_gives_each_words_weights_multiply_adds_and_shape():
    assert show(TINY).splitlines() == [
        "tiny: 1.01 k weights, 48.2 k multiply-adds at 3x16x16",
        "",
        "stem                      240   13.8 k  -> 8x8x8                Conv(8, 3, 2) Norm('batch')",
        "stages.0                  368   17.4 k  -> 8x8x8                2 x ConvMixerLayer(3)",
        "stages.0                  312   16.9 k  -> 8x8x8                ConvMixerLayer(5, 'relu')",
        "head                       90       80  -> a vector of 10       Mean() Linear(10)",
    ]


def test_spelling_gives_every_op_its_path_and_shapes():
    first, _, third, *_ = lines = spell(TINY).splitlines()
    assert " ".join(first.split()) == "stem.conv1 Conv(8, 3, 2) 3x16x16 -> 8x8x8 224 13,824"
    path = "stages.0.blocks.0.residual1.branch.depthwise1"
    assert " ".join(third.split()) == f"{path} Depthwise(3) 8x8x8 -> 8x8x8 80 4,608"
    assert len({line.index("->") for line in lines}) == 1


@pytest.mark.parametrize(
    ("n", "said"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1 k"),
        (283_723, "284 k"),
        (999_500, "1 M"),
        (51_099_168_768, "51.1 G"),
        (2e15, "2 P"),
    ],
)
def test_a_count_is_three_digits_and_a_letter(n, said):
    assert count(n) == said


def test_adapting_changes_what_it_is_asked_and_leaves_the_rest():
    arch = architecture("cct_7_3x1_32")
    other = adapt(arch, classes=7, channels=1, size=(28, 56), drop_path=0.0, attention_dropout=0.0)
    assert other.head == (*arch.head[:-1], Linear(7))
    assert (other.image, other.drop_path) == (Grid(1, 28, 56), 0.0)
    assert {block.attention_dropout for block in other.stages[0].blocks} == {0.0}
    assert (other.stem, other.init) == (arch.stem, arch.init)
    assert adapt(adapt(arch, classes=0), classes=10) == arch == adapt(arch)
    assert adapt(arch, size=48).image == Grid(3, 48, 48)
    assert load(dump(other), vocabulary()) == other
