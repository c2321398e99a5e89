"""Errors of a design name the architecture, the place, what was given and what mends it."""

import pytest

from glocal.design import (
    Act,
    Architecture,
    Attention,
    Conv,
    Depthwise,
    Dropout,
    First,
    Flatten,
    Grid,
    Linear,
    Mean,
    Norm,
    OneOf,
    Patches,
    Pool,
    Residual,
    SequencePool,
    Stage,
    adapt,
    cost,
    load,
)
from glocal.errors import ArchitectureError, ShapeError
from glocal.families import architecture, vocabulary
from glocal.families.compact import CompactLayer
from glocal.families.convmixer import ConvMixerLayer
from glocal.families.vit import TransformerLayer
from strategies import Say

HEAD = (Mean(), Linear(3))


def drawn(stem, *stages, head=HEAD):
    return Architecture("drawing", stem=stem, stages=stages, head=head, image=Grid(3, 30, 32))


TOKENS = (Patches(8, 2), Flatten())
BROKEN = {
    "patches that do not divide": (
        drawn((Patches(8, 4),)),
        r"drawing, stem, given 3x30x32: 30x32 pixels do not divide into 4x4 patches",
    ),
    "a grid op on tokens": (
        drawn(TOKENS, Stage(8, (ConvMixerLayer(3),))),
        r"drawing, stages.0.blocks.0, given 240 tokens of 8: Depthwise\(.*reads a grid, not 240 tokens.*before Flatten",
    ),
    "a token op on a grid": (
        drawn((Conv(8),), head=(SequencePool(), Linear(3))),
        r"drawing, head, given 8x30x32: SequencePool\(\) reads tokens, not 8x30x32; put Flatten\(\) before it",
    ),
    "no class token": (
        drawn(TOKENS, head=(First(), Linear(3))),
        r"drawing, head, given 240 tokens of 8: .*reads the class token, and there is none; put ClassToken\(\) in the stem",
    ),
    "a width that nothing makes": (
        drawn((Conv(8),), Stage(16, (ConvMixerLayer(3),))),
        r"drawing, stages.0.blocks.0, given 8x30x32: .*keeps its width of 8 and cannot make 16; give its Stage a downsample",
    ),
    "a stride that nothing makes": (
        drawn(TOKENS, Stage(8, (TransformerLayer(2),), stride=2)),
        r"drawing, stages.0.blocks.0, .*cannot stride by 2; give its Stage a downsample",
    ),
    "a picture that is too small": (
        drawn((Conv(8, 40, 40, padding=0),)),
        r"drawing, stem, given 3x30x32: .*needs at least 40 pixels a side, not 30; take a larger picture",
    ),
    "positions after pooling": (
        drawn((Conv(8),), head=(Mean(), Mean(), Linear(3))),
        r"drawing, head, .*reads positions, and the picture is already pooled to a vector of 8",
    ),
    "groups that do not divide": (
        drawn((Conv(8, 3, groups=2),)),
        r"drawing, stem, .*2 groups do not divide 3 -> 8 channels",
    ),
    "heads that do not divide": (drawn(TOKENS, Stage(8, (CompactLayer(3, 1),))), r"3 heads do not divide the width 8"),
    "no heads": (drawn(TOKENS, Stage(8, (CompactLayer(0, 1),))), r"blocks.0, .*0 heads do not divide the width 8"),
    "branches that differ": (
        drawn((Residual((Conv(8),)),)),
        r"the branch of a Residual leaves 8x30x32 but its shortcut leaves 3x30x32",
    ),
    "padding beyond the kernel": (
        drawn((Pool("max", 3, 2, 2),)),
        r"drawing, stem, .*padding is at most half the kernel",
    ),
    "an open question": (
        drawn((Conv(8),), Stage(8, (Say(()), OneOf((ConvMixerLayer(3), ConvMixerLayer(5)))))),
        r"drawing, stages.0.blocks.1, .*a choice of 2 words is still open; settle it with decide\(\)",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_design_that_does_not_fit_says_where_and_what_mends_it(case):
    arch, message = BROKEN[case]
    with pytest.raises(ArchitectureError, match=message):
        cost(arch)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Act("swish"), r"Act\(kind='swish'\): kind is one of 'relu', 'gelu', 'silu', 'tanh'"),
        (lambda: Norm("group"), r"kind is one of 'batch', 'layer'"),
        (lambda: Conv(0), r"Conv\(width=0.*width must be at least 1"),
        (lambda: Conv(8, padding=-1), r"padding must be at least 0"),
        (lambda: Depthwise(-3), r"kernel must be at least 1"),
        (lambda: Dropout(1.5), r"Dropout\(rate=1.5\): rate must be a rate in \[0, 1\)"),
        (lambda: Attention(2, 4, 8, dropout=-0.1), r"dropout must be a rate in \[0, 1\)"),
        (
            lambda: Architecture("a", (), (), (), init="xavier"),
            r"a: init is one of torch, vit, compact, normal, resnet, not 'xavier'",
        ),
        (lambda: Architecture("a", (), (), (), drop_path=1.0), r"a: drop_path is 1.0; give a rate in \[0, 1\)"),
    ],
)
def test_a_value_out_of_range_is_named_where_it_is_said(make, message):
    with pytest.raises(ArchitectureError, match=message):
        make()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"classes": -1}, "num_classes is -1; give 0"),
        ({"channels": 0}, "in_chans is 0; give 1 or more"),
        ({"channels": -3}, "in_chans is -3; give 1 or more"),
        ({"size": 0}, "given 3x0x0"),
        ({"size": (3, 32, 32)}, "img_size is .*give one side or"),
        ({"drop_path": 1.0}, "drop_path_rate is 1.0; give a rate"),
        ({"attention_dropout": 1.0}, "dropout must be a rate"),
    ],
)
def test_what_cannot_be_adapted_names_the_argument(asked, message):
    with pytest.raises(ArchitectureError, match=rf"cct_2_3x2_32.*{message}"):
        adapt(architecture("cct_2_3x2_32"), **asked)


def test_attention_dropout_without_attention_is_refused():
    with pytest.raises(ArchitectureError, match=r"convmixer_768_32 has no attention.*would do nothing"):
        adapt(architecture("convmixer_768_32"), attention_dropout=0.1)


def text(stem=("Flatten",), **said):
    head = ["Mean", {"Linear": {"width": 3}}]
    return {"Architecture": {"name": "text", "stem": list(stem), "stages": [], "head": head, **said}}


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        (text([{"Conf": {"width": 8}}]), r"^architecture.Architecture.stem\[0\]: 'Conf' is not a word.*mean 'Conv'\?"),
        (
            text([{"Conv": {"widht": 8}}]),
            r"^architecture.Architecture.stem\[0\].Conv has no field 'widht'.*mean 'width'\?",
        ),
        (text(["Flatten", "Conv"]), r"^architecture.Architecture.stem\[1\].Conv needs width"),
        (text([{"Conv": {"width": "8"}}]), r"stem\[0\].Conv.width: '8' is not an int"),
        (text([{"Conv": {"width": 8.0}}]), r"stem\[0\].Conv.width: 8.0 is not an int"),
        (text([{"Conv": {"width": True}}]), r"stem\[0\].Conv.width: True is not an int"),
        (text([{"Conv": {"width": 8, "bias": 1}}]), r"Conv.bias: 1 is not a bool"),
        (text([{"Norm": {"kind": "layer", "eps": "small"}}]), r"Norm.eps: 'small' is not a float"),
        (
            text([{"Residual": {"branch": [{"Linear": {"width": "x"}}]}}]),
            r"stem\[0\].Residual.branch\[0\].Linear.width: 'x'",
        ),
        (text([{"Conv": {"width": 8}, "Act": {"kind": "relu"}}]), r"stem\[0\]: expected one word .* keys Conv, Act"),
        (text(name=7), r"Architecture.name: 7 is not a str"),
        (text(depth=4), r"Architecture has no field 'depth'"),
        (text(image={"Grid": [3, 32]}), r"Architecture.image: a Grid is \[channels, height, width\], not \[3, 32\]"),
        (text(image={"Grid": ["3", 32, 32]}), r"a Grid is \[channels, height, width\]"),
        (text([{"Part": {}}]), r"'Part' is not a word"),
    ],
)
def test_text_that_cannot_be_read_names_the_place(plain, message):
    with pytest.raises(ArchitectureError, match=message):
        load(plain, vocabulary())


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ({"stages": 5}, "stages"),
        ({"stem": {"Conv": {"width": 8}}}, "stem"),
        ({"stem": ["banana"]}, "stem"),
        ({"stem": None}, "stem"),
        ({"image": [3, 32, 32]}, "image"),
        ({"stages": [{"Stage": {"width": 8, "blocks": {"ConvMixerLayer": {"kernel": 3}}}}]}, "blocks"),
        ({"stages": [{"Stage": {"width": 8, "blocks": [{"Linear": {"width": 8}}]}}]}, "blocks"),
        ({"stages": [{"Conv": {"width": 8}}]}, "stages"),
    ],
)
def test_text_with_a_list_of_the_wrong_kind_names_the_place(said, place):
    with pytest.raises(ArchitectureError, match=rf"^architecture\.Architecture.*{place}"):
        load({"Architecture": {**text()["Architecture"], "stem": [], **said}}, vocabulary())


def test_numbers_that_yaml_reads_as_text_are_read_as_numbers():
    assert load({"Norm": {"kind": "layer", "eps": "1e-6"}}, vocabulary()) == Norm("layer", 1e-6)
    assert load({"Dropout": {"rate": 0}}, vocabulary()) == Dropout(0.0)


def test_a_shape_error_is_an_architecture_error_and_both_exit_with_1():
    assert issubclass(ShapeError, ArchitectureError)
    assert ShapeError.exit_code == ArchitectureError.exit_code == 1
