"""Corners: the networks of one option throughout."""

import pytest

from glocal.design.space import canonical, decide, questions
from glocal.families.spaces import hierarchy, space
from glocal.searching.sampling import corners

SPACES = [space("hybrid_cifar"), hierarchy("glit_cifar_24_4").first, hierarchy("glit_cifar_24_4").joint]


@pytest.mark.parametrize("asked", SPACES, ids=lambda asked: asked.name)
def test_corners_are_different_networks_with_the_same_option_in_every_question_that_has_as_many(asked):
    found, options = corners(asked), [len(question.options) for question in questions(asked)]
    assert 2 <= len(found) <= max(options)
    assert len({decide(asked, answers) for answers in found}) == len(found)
    uniform = [tuple(min(i, n - 1) for n in options) for i in range(max(options))]
    assert {canonical(asked, answers) for answers in uniform} == {*found}
