"""Laws of search spaces: a sheet of answers makes an architecture, and questions keep their order."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glocal.design import OneOf, cost, decide, dump, load, python, questions, sample, vary
from glocal.design.space import size
from glocal.errors import ArchitectureError
from glocal.families.convmixer import ConvMixerLayer
from strategies import architectures, law, spaces, words


@law(200)
@given(spaces(), st.randoms(use_true_random=False))
def test_answering_every_question_gives_an_architecture_without_questions(space, rng):
    answers = sample(space, rng)
    settled = decide(space, answers)
    assert questions(settled) == ()
    assert decide(settled, ()) == settled
    assert cost(settled).params > 0
    assert (settled.stem, settled.head, settled.image) == (space.stem, space.head, space.image)


@law(200)
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


@law(100)
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


@law(100)
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
    from glocal.design import Architecture, Conv, Linear, Mean, Stage

    question = vary(ConvMixerLayer(1), {"kernel": (1, 2, 3, 4)})
    space = Architecture("space", (Conv(4),), (Stage(4, (question, ConvMixerLayer(9), question)),), (Mean(), Linear(2)))
    assert size(space) == 16
    drawn = [sample(space, random.Random(seed)) for seed in range(1600)]
    assert drawn[:50] == [sample(space, random.Random(seed)) for seed in range(50)]
    counts = [drawn.count((i, j)) for i in range(4) for j in range(4)]
    assert min(counts) > 50
    assert max(counts) < 160
