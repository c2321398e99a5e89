"""Corners: the networks of one option throughout."""

from glocal.design import Architecture, Conv, Linear, Mean, OneOf, Stage
from glocal.design.shapes import Grid
from glocal.families.convmixer import ConvMixerLayer
from glocal.families.spaces import hierarchy
from glocal.searching.sampling import corners


def of_questions(*options: int) -> Architecture:
    """A space whose questions have so many options."""
    blocks = tuple(OneOf(tuple(ConvMixerLayer(2 * k + 1) for k in range(n))) for n in options)
    return Architecture("asked", (Conv(4, 1),), (Stage(4, blocks),), (Mean(), Linear(2)), Grid(3, 8, 8))


def test_corners_have_the_same_option_in_every_question():
    assert corners(of_questions(3, 3)) == ((0, 0), (1, 1), (2, 2))
    assert corners(hierarchy("glit_cifar_24_4").first) == ((0,) * 4, (1,) * 4, (2,) * 4, (3,) * 4)


def test_a_question_with_fewer_options_keeps_its_last():
    assert corners(of_questions(2, 4)) == ((0, 0), (1, 1), (1, 2), (1, 3))


def test_a_space_without_questions_is_its_own_corner_and_none_is_there_twice():
    assert corners(of_questions(1, 1)) == ((0, 0),)
