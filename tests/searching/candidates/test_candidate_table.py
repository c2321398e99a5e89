"""Candidates in a table: they come back as they were, whatever the storage, and only a search that proposes them may have it."""

import csv
from dataclasses import replace

import pytest

from glocal.design.limits import Limits
from glocal.errors import SearchError, TrialError
from glocal.searching.candidates.candidate_table import (
    COLUMNS,
    EvaluateCandidates,
    as_candidate,
    as_trial,
    candidates,
    open_candidates,
    write_csv,
)
from glocal.searching.candidates.methods import RandomSearch
from glocal.searching.candidates.proposals import propose
from landscape import BRIEF, SMALL, STRATEGY, Additive, facts, search

FIRST = propose(STRATEGY, generation=0, done=())


def test_a_candidate_comes_back_from_a_table_as_it_was(tmp_path):
    table = open_candidates(tmp_path / "a.db", "net/level", STRATEGY)
    table.enqueue([as_trial(c, STRATEGY) for c in FIRST])
    claim = table.claim("me:1:1")
    assert as_candidate(claim.trial) == FIRST[0]
    table.finish(claim, {"accuracy": 1 / 3, "n": 48}, seconds=0.25)
    assert candidates(table) == [replace(FIRST[0], accuracy=1 / 3, n=48, seconds=0.25, worker="me:1:1")]
    while claim := table.claim("me:1:1"):
        table.finish(claim, {"accuracy": 0.5, "n": 48}, seconds=0.25)
    assert [replace(c, accuracy=None, n=0, seconds=0.0, worker="") for c in candidates(table)] == [*FIRST]


@pytest.mark.parametrize("accuracy", [float("nan"), float("inf"), -0.1, 1.01, 76.3])
def test_an_accuracy_that_is_no_fraction_is_an_error_that_names_the_candidate(accuracy):
    run = EvaluateCandidates(Additive(gives=accuracy)).prepare()
    with pytest.raises(SearchError, match=rf"candidate \d-\d-\d \(generation 0, index 0\): its accuracy is {accuracy}"):
        run(as_trial(FIRST[0], STRATEGY).settings)


@pytest.mark.parametrize(
    ("changes", "more", "message"),
    [
        ({"seed": 1}, {}, "seed was 0, is now 1"),
        ({"method": replace(BRIEF, topk=2)}, {}, "method.topk was 3, is now 2"),
        ({"method": RandomSearch()}, {}, "method.name was Evolution, is now RandomSearch"),
        ({"limits": Limits(max_params=1)}, {}, "limits.max_macs was 15000000.0, is now not given"),
        ({"space": replace(SMALL, drop_path=0.2)}, {}, "space was"),
        ({}, {"supernet": "abc"}, "supernet was not given, is now abc"),
    ],
)
def test_a_table_of_another_search_is_an_error_that_says_what_differs(changes, more, message, tmp_path):
    open_candidates(tmp_path / "a.db", "net/level", STRATEGY)
    with pytest.raises(TrialError, match=f"a.db holds a table 'net/level' of other trials: .*{message}"):
        open_candidates(tmp_path / "a.db", "net/level", replace(STRATEGY, **changes), more=more)


def test_candidates_that_this_search_would_not_propose_are_an_error():
    table = open_candidates(None, "level", STRATEGY)
    table.enqueue([as_trial(c, STRATEGY) for c in FIRST])
    others = [FIRST[0], replace(FIRST[1], answers=(0, 0, 0)), *FIRST[2:]]
    with pytest.raises(TrialError, match=r"holds trial 'generation 0, index 1' with other settings: answers was"):
        table.enqueue([as_trial(c, STRATEGY) for c in others])


def test_every_kind_of_table_ends_up_the_same(tmp_path):
    tables = [search(w) for w in (None, tmp_path / "a.db", f"journal:{tmp_path}/a.log")]
    assert facts(tables[0]) == facts(tables[1]) == facts(tables[2])
    assert len(tables[0]) == sum(BRIEF.batches)


def test_the_csv_has_a_row_for_each_candidate(tmp_path):
    done = search(None)
    write_csv(tmp_path / "candidates.csv", "level", done)
    rows = list(csv.DictReader((tmp_path / "candidates.csv").read_text().splitlines()))
    assert tuple(rows[0]) == COLUMNS
    assert [float(row["accuracy"]) for row in rows] == [c.accuracy for c in done]
    child = next(i for i, c in enumerate(done) if c.origin == "crossover")
    row, c = rows[child], done[child]
    assert row["answers"] == "-".join(map(str, c.answers))
    assert [tuple(map(int, p.split("-"))) for p in row["parents"].split("|")] == list(c.parents)
    assert (row["level"], row["n"], row["latency_ms"], row["worker"]) == ("level", "100", "", c.worker)
    assert (int(row["macs"]), int(row["params"])) == (c.costs["macs"], c.costs["params"])
    assert [p.name for p in tmp_path.glob("*.part")] == []


def test_optunas_tools_show_answers_and_accuracy(tmp_path):
    import optuna

    done = search(tmp_path / "a.db")
    shown = optuna.load_study(study_name="level", storage=f"sqlite:///{tmp_path}/a.db").trials
    assert [tuple(t.params.values()) for t in shown] == [c.answers for c in done]
    assert [t.value for t in shown] == [c.accuracy for c in done]
    assert [*shown[0].params] == [f"stages.0.blocks.{i}" for i in range(3)]
