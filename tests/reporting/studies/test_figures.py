"""The figures of a study, on values that real studies have seldom."""

from glocal.reporting.numbers import round_ticks
from glocal.reporting.studies.figures import Curve, curves_svg


def test_curves_that_never_move_are_drawn():
    assert "<polyline" in curves_svg([Curve("a", [0.5, 0.5, 0.5]), Curve("b", [0.5, 0.5])])


def test_ticks_enclose_their_values_and_are_two_at_least():
    for low, high in ((50, 50), (0, 0), (12.3, 12.4), (0, 100), (33, 77.7)):
        ticks = list(round_ticks(low, high))
        assert ticks[0] <= low <= high <= ticks[-1]
        assert ticks == sorted(set(ticks))
        assert len(ticks) > 1
