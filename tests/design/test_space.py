"""Laws of search spaces: a sheet of answers makes an architecture, and what is said of a space holds for all of them."""

import random
from dataclasses import replace
from itertools import pairwise, product

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from glocal.design import (
    Architecture,
    Conv,
    Cost,
    Grid,
    Linear,
    Mean,
    Norm,
    OneOf,
    Stage,
    adapt,
    cost,
    decide,
    dump,
    load,
    parts,
    python,
    questions,
    sample,
    vary,
)
from glocal.design.space import answers_of, canonical, places, questions_by_name, size
from glocal.design.span import cost_range, reach
from glocal.errors import ArchitectureError, ShapeError
from glocal.families.coatnet import MBConv, RelativeTransformer
from glocal.families.convmixer import ConvMixerLayer
from glocal.families.convnext import ConvNeXtBlock, Downsample
from glocal.families.glit import GLiTBlock
from glocal.families.mixture import ToGrid, ToTokens
from glocal.families.vit import TransformerLayer
from strategies import architectures, law, spaces, words

HEAD = (Mean(), Linear(3))


def sheets(space):
    return product(*(range(len(q.options)) for q in questions(space)))


# ------------------------------------------------------------------------------------------------------ nested, named

COUNTS = {"a": 2, "b": 3}  # options of the questions of a name
firsts = st.builds(MBConv, st.integers(1, 2), kernel=st.sampled_from((1, 3)))
keeps = st.one_of(
    st.builds(ConvMixerLayer, st.integers(1, 3)),
    st.builds(ConvNeXtBlock, st.integers(1, 3)),
    st.just(TransformerLayer(2)),
)


@st.composite
def one_of(draw, option):
    name = draw(st.sampled_from(("", "", "", "a", "b")))
    n = COUNTS.get(name) or draw(st.integers(1, 3))
    return OneOf(tuple(draw(option) for _ in range(n)), name)


def maybe(option):
    """An option, a question of them, or one whose options may be questions."""
    return st.one_of(option, one_of(option), one_of(st.one_of(option, one_of(option))))


@st.composite
def stages(draw):
    down = draw(st.sampled_from((None, Downsample(), vary(Downsample(), {"norm": (Norm("layer"), Norm("variance"))}))))
    first = () if down else (draw(maybe(firsts)),)
    return Stage(draw(st.sampled_from((8, 16))), (*first, *draw(st.lists(maybe(keeps), max_size=2))), 1, down)


@st.composite
def nested(draw):
    """A space of at most 200 sheets whose questions stand in one another and share names."""
    chosen = draw(st.lists(maybe(stages()), min_size=1, max_size=3))
    space = Architecture("nested", (Conv(8, 4, 4),), tuple(chosen), HEAD, Grid(3, 16, 16))
    assume(size(space) <= 200)
    return space


@law(40)
@given(nested())
def test_a_moot_question_is_answered_0_and_changes_nothing(space):
    made = {}
    for sheet in sheets(space):
        plain = canonical(space, sheet)
        assert canonical(space, plain) == plain
        assert decide(space, plain) == decide(space, sheet)
        assert made.setdefault(plain, decide(space, sheet)) == decide(space, sheet)
        assert all(a in (0, b) for a, b in zip(plain, sheet, strict=True))


@law(40)
@given(nested())
def test_the_answers_of_an_architecture_of_a_space_make_it_again(space):
    for sheet in sheets(space):
        arch = decide(space, sheet)
        told = answers_of(space, replace(arch, name="of another name"))
        assert decide(space, told) == arch
        assert canonical(space, told) == told


@law(40)
@given(nested())
def test_reach_is_every_part_of_every_architecture_and_no_other(space):
    found, reached = {}, reach(space)
    for sheet in sheets(space):
        for path, part in parts(decide(space, sheet)):
            found.setdefault(path, set()).add(part)
        own = [path for path, _ in parts(decide(space, sheet))]
        assert own == [path for path in reached if path in own], "forward order"
    assert {path: {*of} for path, of in reached.items()} == found
    assert all(len({*of}) == len(of) for of in reached.values())


@law(40)
@given(nested())
def test_the_range_of_costs_is_that_of_all_architectures(space):
    costs = [cost(decide(space, sheet)) for sheet in sheets(space)]
    least, most = cost_range(space)
    assert least == Cost(min(c.params for c in costs), min(c.macs for c in costs))
    assert most == Cost(max(c.params for c in costs), max(c.macs for c in costs))


@law(40)
@given(nested())
def test_a_nested_space_is_text_like_any_architecture(space):
    assert load(dump(space), words()) == space
    assert eval(python(space), dict(words())) == space
    assert [q.name or place for place, q in places(space) if q.name not in COUNTS] == [
        key for key in questions_by_name(space) if key not in COUNTS
    ]


@law(40)
@given(spaces(), st.randoms(use_true_random=False))
def test_what_is_drawn_lies_within_reach_and_range(space, rng):
    arch, reached, (least, most) = decide(space, sample(space, rng)), reach(space), cost_range(space)
    assert all(part in reached[path] for path, part in parts(arch))
    assert all(a <= b <= c for a, b, c in zip(least, cost(arch), most, strict=True))
    assert decide(space, answers_of(space, arch)) == arch


def test_questions_of_one_name_get_one_answer():
    kernel = vary(ConvMixerLayer(5), {"kernel": (3, 5)}, name="kernel")
    mixers = Stage(8, (kernel,) * 3)
    deep = OneOf((mixers, Stage(8, (kernel,) * 5), Stage(8, (ConvNeXtBlock(),))), "depth")
    space = Architecture("tied", (Conv(8, 4, 4),), (mixers, deep), HEAD)
    assert [q.name for q in questions(space)] == ["kernel", "depth"]
    assert size(space) == 6
    assert {block.kernel for stage in decide(space, (1, 1)).stages for block in stage.blocks} == {5}
    assert canonical(space, (1, 2)) == (1, 2), "the first stage asks for the kernel too"
    assert canonical(replace(space, stages=(deep,)), (2, 1)) == (2, 0)
    differ = decide(space, (0, 0)).stages[0], decide(space, (1, 0)).stages[1]
    with pytest.raises(ArchitectureError, match=r"tied, stages\.1\.blocks\.0: no answer of tied gives"):
        answers_of(space, replace(space, stages=differ))


def test_tied_answers_let_grids_and_tokens_alternate_and_untied_ones_are_refused():
    """What cannot be read under some answers is an error of the space, not of an unlucky draw."""

    def space(name):
        kinds = OneOf((Stage(8, (ConvNeXtBlock(),)), Stage(8, (GLiTBlock(2),), 1, ToTokens())), name)
        backs = OneOf((Stage(8, (ConvMixerLayer(3),)), Stage(8, (ConvMixerLayer(3),), 1, ToGrid())), name)
        return Architecture("turns", (Conv(8, 4, 4),), (kinds, backs), HEAD)

    assert [len(of) for of in reach(space("kind")).values()] == [1, 1, 2, 1, 1, 1]
    with pytest.raises(ShapeError, match=r"turns, stages\.1\.blocks\.0, given \d+ tokens of 8"):
        reach(space(""))


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        (
            (Stage(8, (OneOf((ConvMixerLayer(3),), "a"), OneOf((ConvMixerLayer(3),) * 2, "a"))),),
            "'a' has 2 options here",
        ),
        ((OneOf((ConvMixerLayer(3),)),), r"stages\.0: a choice of blocks cannot stand for a stage"),
        ((Stage(8, (OneOf((Stage(8, ()),)),)),), r"stages\.0\.blocks\.0: a choice of stages cannot stand for a block"),
    ],
)
def test_questions_that_cannot_be_asked_are_refused(stages, said):
    with pytest.raises(ArchitectureError, match=f"wrong, .*{said}"):
        questions(Architecture("wrong", (Conv(8, 4, 4),), stages, HEAD))


@pytest.mark.parametrize(
    ("options", "name", "said"),
    [
        ((), "", "no options"),
        ((Stage(8, ()), ConvMixerLayer(3)), "", "all words or all stages"),
        ((ConvMixerLayer(3),), "stages.1", "which is a place"),
    ],
)
def test_a_question_says_what_is_wrong_with_it(options, name, said):
    with pytest.raises(ArchitectureError, match=said):
        OneOf(options, name)


@pytest.mark.parametrize(
    ("edit", "path"),
    [
        (lambda arch: replace(arch, stem=(Conv(8, 2, 2),)), "stem"),
        (lambda arch: replace(arch, stages=arch.stages[:1]), "stages.1"),
        (lambda arch: replace(arch, stages=(replace(arch.stages[0], width=9), arch.stages[1])), "stages.0"),
        (lambda arch: replace(arch, stages=(arch.stages[0], replace(arch.stages[1], stride=2))), "stages.1"),
        (
            lambda arch: replace(
                arch, stages=(arch.stages[0], replace(arch.stages[1], blocks=(*arch.stages[1].blocks[:1], MBConv())))
            ),
            "stages.1.blocks.1",
        ),
    ],
)
def test_an_architecture_outside_a_space_is_told_by_the_first_path_that_differs(edit, path):
    question = vary(ConvMixerLayer(5), {"kernel": (3, 5)})
    space = Architecture(
        "inside", (Conv(8, 4, 4),), (Stage(8, (question,)), OneOf((Stage(8, (question,) * 2), Stage(8, ())))), HEAD
    )
    arch = edit(replace(decide(space, (1, 0, 1, 0)), name="other"))
    with pytest.raises(ArchitectureError, match=rf"other, {path.replace('.', chr(92) + '.')}: no answer of inside"):
        answers_of(space, arch)


# ------------------------------------------------------------------------------------------------------ adapted


def test_a_space_is_adapted_like_an_architecture():
    question = OneOf((RelativeTransformer(4), TransformerLayer(2), ConvNeXtBlock()))
    space = Architecture("space", (Conv(8, 4, 4),), (Stage(8, (question,) * 2),), HEAD, Grid(3, 32, 32))
    other = adapt(space, classes=7, size=(64, 32), channels=1, drop_path=0.2, attention_dropout=0.1)
    for sheet in sheets(space):
        arch = adapt(decide(space, sheet), classes=7, size=(64, 32), channels=1, drop_path=0.2, attention_dropout=None)
        assert cost(decide(other, sheet)) == cost(arch)
        assert (decide(other, sheet).head, decide(other, sheet).image) == (arch.head, arch.image)
    assert [getattr(o, "attention_dropout", None) for o in questions(other)[1].options] == [0.1, 0.1, None]
    assert adapt(space, classes=3) == space


def test_a_size_that_some_answer_cannot_read_is_refused_with_one_that_all_can():
    question = OneOf((Stage(8, (ConvMixerLayer(3),)), Stage(8, (ConvMixerLayer(3),), 2, Downsample())))
    space = Architecture("space", (Conv(8, 4, 4, padding=0),), (question, question), HEAD, Grid(3, 32, 32))
    with pytest.raises(
        ShapeError, match=r"pictures of 12x12 do not fit space; 16x16 would \(space, stages\.1\.downsample"
    ):
        adapt(space, size=12)
    with pytest.raises(ArchitectureError, match=r"stages\.0: a choice of stages is still open; settle it with decide"):
        cost(space)


# ------------------------------------------------------------------------------------------------------ in short

SHORT = """
Architecture:
  name: short
  stem: [{Conv: {width: 12, kernel: 4, stride: 4}}]
  stages:
  - Stage:
      width: 12
      blocks:
      - 2 x: {Vary: {ConvMixerLayer: {kernel: [3, 5], act: [gelu, relu]}}}
      - OneOf: [MBConv, {Vary: {TransformerLayer: {heads: [2, 3], expansion: 2}}}]
      - Vary: {ConvMixerLayer: {kernel: [3, 5, 7]}, name: last}
  head: [Mean, {Linear: {width: 3}}]
"""


def test_the_short_spellings_of_a_question_are_read():
    space = load(yaml.safe_load(SHORT), words())
    mixers = vary(ConvMixerLayer(3), {"kernel": (3, 5), "act": ("gelu", "relu")})
    either = OneOf((MBConv(), TransformerLayer(2, 2.0), TransformerLayer(3, 2.0)))
    last = vary(ConvMixerLayer(3), {"kernel": (3, 5, 7)}, name="last")
    assert space.stages == (Stage(12, (mixers, mixers, either, last)),)
    assert load(dump(space), words()) == space


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("ConvMixerLayer: {kernel: [3, 5],", "ConvMixrLayer: {kernel: [3, 5],", r"blocks\[0\]\.Vary: 'ConvMixrL.*did you"),
        ("kernel: [3, 5],", "kernal: [3, 5],", r"blocks\[0\]\.Vary\.ConvMixerLayer has no field 'kernal'; did you mean 'kernel'"),
        ("kernel: [3, 5],", "kernel: [3, wide],", r"Vary\.ConvMixerLayer\.kernel: 'wide' is not an int"),
        ("heads: [2, 3]", "heads: 2", r"blocks\[1\]\.OneOf\.options\[1\]\.Vary: give one word with a list of values"),
        ("[3, 5, 7]", "[]", r"blocks\[2\]\.Vary: give one word with a list of values"),
        ("name: last", "nam: last", r"blocks\[2\]\.Vary: give one word with a list of values"),
        ("name: last", "name: [last]", r"Vary\.OneOf\.name: \['last'\] is not a str"),
        ("OneOf: [MBConv, {", "OneOf: [{Stage: {width: 3, blocks: []}}, {", r"blocks\[1\]\.OneOf: the options .* not both"),
        ("OneOf: [MBConv, {Vary: {TransformerLayer: {heads: [2, 3], expansion: 2}}}]", "OneOf: []", r"OneOf: .* no options"),
    ],
)  # fmt: skip
def test_an_error_in_a_short_spelling_names_its_place(right, wrong, said):
    assert right in SHORT
    with pytest.raises(ArchitectureError, match=said):
        load(yaml.safe_load(SHORT.replace(right, wrong)), words())


# ------------------------------------------------------------------------------------------------------ plain


@law(40)
@given(spaces(), st.randoms(use_true_random=False))
def test_answering_every_question_gives_an_architecture_without_questions(space, rng):
    answers = sample(space, rng)
    settled = decide(space, answers)
    assert questions(settled) == ()
    assert decide(settled, ()) == settled
    assert cost(settled).params > 0
    assert (settled.stem, settled.head, settled.image) == (space.stem, space.head, space.image)


@law(40)
@given(spaces(), st.randoms(use_true_random=False))
def test_the_answer_to_a_question_stands_in_its_place(space, rng):
    answers = sample(space, rng)
    said = iter(zip(questions(space), answers, strict=True))
    for before, after in zip(space.stages, decide(space, answers).stages, strict=True):
        for open_block, block in zip(before.blocks, after.blocks, strict=True):
            if isinstance(open_block, OneOf):
                question, answer = next(said)
                assert block == question.options[answer]
            else:
                assert block == open_block
    assert next(said, None) is None


@law(40)
@given(spaces())
def test_a_space_has_as_many_sheets_as_it_says_and_is_text_like_any_architecture(space):
    assert size(space) >= 1
    assert load(dump(space), words()) == space
    assert eval(python(space), dict(words())) == space
    if questions(space):
        with pytest.raises(ArchitectureError, match=r"stages\.\d\.blocks\.\d+, given .* still open"):
            cost(space)


@law(50)
@given(architectures())
def test_an_architecture_is_a_space_of_one(arch):
    assert (questions(arch), size(arch), sample(arch, random.Random(0)), decide(arch, ())) == ((), 1, (), arch)


@law(40)
@given(spaces(), st.integers(0, 9))
def test_a_sheet_that_does_not_fit_is_refused(space, extra):
    fits = sample(space, random.Random(0))
    with pytest.raises(ArchitectureError, match=rf"asks {len(fits)} questions; the sheet has {len(fits) + 1} answers"):
        decide(space, (*fits, extra))
    for i, question in enumerate(questions(space)):
        for wrong in (-1, len(question.options)):
            with pytest.raises(ArchitectureError, match=rf"question {i}: {wrong} is not one of 0\.\."):
                decide(space, (*fits[:i], wrong, *fits[i + 1 :]))


def test_vary_makes_every_combination_in_order():
    question = vary(ConvMixerLayer(5), {"kernel": (3, 5, 7), "act": ("gelu", "relu")})
    assert [(w.kernel, w.act) for w in question.options] == [(k, a) for k in (3, 5, 7) for a in ("gelu", "relu")]
    assert all(a != b for a, b in pairwise(question.options))


def test_sampling_is_uniform_and_repeats_with_its_seed():
    question = vary(ConvMixerLayer(1), {"kernel": (1, 2, 3, 4)})
    space = Architecture("space", (Conv(4),), (Stage(4, (question, ConvMixerLayer(9), question)),), (Mean(), Linear(2)))
    assert size(space) == 16
    drawn = [sample(space, random.Random(seed)) for seed in range(1600)]
    assert drawn[:50] == [sample(space, random.Random(seed)) for seed in range(50)]
    counts = [drawn.count((i, j)) for i in range(4) for j in range(4)]
    assert min(counts) > 50
    assert max(counts) < 160
