"""What an evolution tells: a line a generation in a file, a display on a terminal, and a time left that holds."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from glocal.searching import display
from glocal.searching.candidates.candidate import Candidate
from glocal.searching.display import SearchDisplay


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(s=100.0)
    monkeypatch.setattr(display, "time", SimpleNamespace(monotonic=lambda: now.s))
    monkeypatch.delenv("CI", raising=False)
    return now


def batch(generation, n=10, *, accuracy=0.5, seconds=2.0, workers=2):
    return [
        Candidate(
            (generation, i, 3),
            generation,
            i,
            "random",
            (),
            {"macs": 1e6 * (i + 1), "params": 2e6, "latency_ms": 1.25 + i},
            accuracy + i / 1000,
            1000,
            seconds,
            f"w{i % workers}",
        )
        for i in range(n)
    ]


def plain(**kwargs):
    file = io.StringIO()
    return Console(file=file, width=100, **kwargs), file


def test_a_file_gets_one_plain_line_a_generation(clock):
    console, file = plain()
    with SearchDisplay(console, generations=12, population=10) as live:
        for g in range(2):
            clock.s += 10
            live.generation(g, batch(g, accuracy=0.5 + g / 10))
    assert file.getvalue().splitlines() == [
        "generation  1/12  10 candidates  best 50.90% (47.8% to 54.0%), 10 M multiply-adds  front of 10  1:50 left",
        "generation  2/12  20 candidates  best 60.90% (57.8% to 63.9%), 10 M multiply-adds  front of 10  1:40 left",
    ]


def test_another_cost_is_told_in_its_unit(clock):
    console, file = plain()
    with SearchDisplay(console, generations=1, population=10, cost="latency_ms") as live:
        live.generation(0, batch(0))
    assert "10.2 ms  front of 10" in file.getvalue()


def test_the_last_line_says_nothing_of_time_left(clock):
    console, file = plain()
    with SearchDisplay(console, generations=1, population=10) as live:
        clock.s += 10
        live.generation(0, batch(0))
    assert "left" not in file.getvalue()
    assert live.seconds_left(clock.s) == 0


def test_the_time_left_falls_while_a_generation_goes_on_and_holds(clock):
    live = SearchDisplay(None, generations=10, population=10)
    assert live.seconds_left(clock.s) is None
    for g in range(10):
        clock.s += 30
        live.generation(g, batch(g))
        assert live.seconds_left(clock.s) == pytest.approx(30 * (9 - g))
        if g < 9:
            assert live.seconds_left(clock.s + 10) == pytest.approx(30 * (9 - g) - 10)


def test_it_follows_a_pace_that_changes(clock):
    live = SearchDisplay(None, generations=20, population=10)
    for g, took in enumerate((30, 30, 30, 60, 60, 60)):
        clock.s += took
        live.generation(g, batch(g))
    assert live.seconds_left(clock.s) == pytest.approx(14 * 60)


def test_generations_that_the_table_had_already_do_not_look_fast(clock):
    live = SearchDisplay(None, generations=10, population=10)
    for g in range(4):
        live.generation(g, batch(g, seconds=6.0))  # 60 s of two workers, read in no time
    assert live.seconds_left(clock.s) == pytest.approx(6 * 30)


def test_all_candidates_so_far_count_as_those_of_the_generation_do(clock):
    one, all_so_far = (SearchDisplay(None, generations=3, population=10) for _ in range(2))
    for g in range(2):
        clock.s += 10
        one.generation(g, batch(g))
        all_so_far.generation(g, [c for h in range(g + 1) for c in batch(h)])
    assert one.seconds_left(clock.s) == all_so_far.seconds_left(clock.s)


def test_a_terminal_sees_the_front_from_cheapest_to_best(clock):
    console, file = plain(force_terminal=True, force_interactive=True, color_system=None)
    with SearchDisplay(console, generations=3, population=10) as live:
        for g in range(2):
            clock.s += 10
            live.generation(g, batch(g))
        console.print(live._render())
    shown = file.getvalue()
    assert "generation 3/3" in shown
    assert "20 candidates" in shown
    assert "best ▁▁ 50.90%" in shown
    rows = shown[shown.rindex("front: multiply-adds") :].splitlines()[1:7]
    assert rows[0].split()[:2] == ["1", "M"]
    assert rows[-1].split()[:3] == ["10", "M", "50.90%"]
    assert len(rows) == display.ROWS


def test_nothing_is_redrawn_where_ci_is_set(clock, monkeypatch):
    monkeypatch.setenv("CI", "true")
    console, file = plain(force_terminal=True, force_interactive=True)
    with SearchDisplay(console, generations=2, population=10) as live:
        clock.s += 10
        live.generation(0, batch(0))
    assert len(file.getvalue().splitlines()) == 1


def test_colours_are_left_out_where_they_are_not_wanted(clock, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    console, file = plain(force_terminal=True, force_interactive=True)
    with SearchDisplay(console, generations=2, population=10) as live:
        clock.s += 10
        live.generation(0, batch(0))
        console.print(live._render())
    assert "\x1b[3" not in file.getvalue()


def test_no_console_no_word(clock, capsys):
    with SearchDisplay(None, generations=2, population=10) as live:
        live.generation(0, batch(0))
    assert capsys.readouterr() == ("", "")


def test_candidates_without_an_accuracy_are_counted_and_not_ranked(clock):
    console, file = plain()
    with SearchDisplay(console, generations=2, population=1) as live:
        live.generation(0, [Candidate((0,), 0, 0, "random", (), {"macs": 1.0, "params": 1.0})])
    assert file.getvalue() == ""
