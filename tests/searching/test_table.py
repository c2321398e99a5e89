import csv
import itertools
import multiprocessing
from collections import Counter
from dataclasses import replace

import pytest

from glocal.errors import SearchError
from glocal.searching.evolution import Evolution, RandomSearch, propose
from glocal.searching.limits import Limits
from glocal.searching.table import COLUMNS, Table, about
from landscape import BEGUN, BRIEF, LIMITS, SMALL, claims_of, facts, price, search

FIRST = propose(SMALL, BRIEF, limits=LIMITS, price=price, seed=0, generation=0, done=())


@pytest.fixture(params=["memory", "file", "journal"])
def where(request, tmp_path):
    places = {"memory": None, "file": tmp_path / "candidates.db", "journal": f"journal:{tmp_path}/candidates.log"}
    return places[request.param]


def begun(where) -> Table:
    table = Table.open(where, "net/level", BEGUN)
    table.enqueue(FIRST)
    return table


def test_a_candidate_is_claimed_evaluated_and_read_back_as_it_was(where):
    table = begun(where)
    assert table.candidates() == []
    claim = table.claim("me:1:1")
    assert claim.candidate == FIRST[0]
    table.finish(claim, accuracy=1 / 3, n=48, seconds=0.25)
    assert table.candidates() == [replace(FIRST[0], accuracy=1 / 3, n=48, seconds=0.25, worker="me:1:1")]
    assert not table.settled()
    while claim := table.claim("me:1:1"):
        table.finish(claim, accuracy=0.5, n=48, seconds=0.25)
    assert table.settled()
    assert [(c.answers, c.costs, c.origin) for c in table.candidates()] == [
        (c.answers, c.costs, c.origin) for c in FIRST
    ]


def test_a_generation_that_was_enqueued_by_half_is_completed_and_never_doubled(where):
    table = Table.open(where, "level", BEGUN)
    table.enqueue(FIRST[:3])
    claims = [table.claim("me:1:1"), table.claim("me:1:1")]
    table.finish(claims[0], accuracy=0.5, n=1, seconds=0)
    table.enqueue(FIRST)
    table.enqueue(FIRST)
    others = list(iter(lambda: table.claim("other:1:1"), None))
    assert [c.candidate.index for c in claims + others] == [0, 1, 2, 3, 4, 5]


def test_what_a_worker_held_waits_again_when_it_is_released(where):
    table = begun(where)
    mine, theirs = table.claim("me:1:1"), table.claim("other:1:1")
    assert [(h.trial, h.worker) for h in table.held()] == [(mine.trial, "me:1:1"), (theirs.trial, "other:1:1")]
    table.release("me:1:1")
    assert [h.worker for h in table.held()] == ["other:1:1"]
    taken = list(iter(lambda: table.claim("third:1:1").candidate.index, 0))
    assert taken == [2, 3, 4, 5], "before what was put back"


def test_of_two_evaluations_of_a_candidate_the_first_stays(where):
    table = begun(where)
    slow = table.claim("slow:1:1")
    table.put_back(slow.trial)  # it was taken for dead
    while (quick := table.claim("quick:1:1")).trial != slow.trial:
        pass
    table.finish(quick, accuracy=0.5, n=10, seconds=1.0)
    table.beat(slow, 1)
    table.finish(slow, accuracy=0.4, n=11, seconds=2.0)
    table.put_back(slow.trial)
    assert [(c.accuracy, c.n, c.worker) for c in table.candidates()] == [(0.5, 10, "quick:1:1")]


@pytest.mark.parametrize("accuracy", [float("nan"), float("inf"), -0.1, 1.01, 76.3])
def test_an_accuracy_that_is_no_fraction_is_an_error_that_names_the_candidate(accuracy):
    table = begun(None)
    claim = table.claim("me:1:1")
    with pytest.raises(SearchError, match=rf"candidate \d-\d-\d \(generation 0, index 0\): its accuracy is {accuracy}"):
        table.finish(claim, accuracy=accuracy, n=1, seconds=0)
    assert table.candidates() == []


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (about(SMALL, BRIEF, limits=LIMITS, seed=1), "seed was 0, is now 1"),
        (about(SMALL, replace(BRIEF, topk=2), limits=LIMITS, seed=0), "method.topk was 3, is now 2"),
        (about(SMALL, RandomSearch(), limits=LIMITS, seed=0), "method.name was Evolution, is now RandomSearch"),
        (about(SMALL, BRIEF, limits=Limits(max_params=1), seed=0), "limits.max_macs was 15000000.0, is now not given"),
        (about(replace(SMALL, drop_path=0.2), BRIEF, limits=LIMITS, seed=0), "space was"),
        ({**BEGUN, "supernet": "abc"}, "supernet was not given, is now abc"),
    ],
)
def test_a_table_that_was_begun_with_something_else_is_an_error_that_says_what(now, told, tmp_path):
    begun(tmp_path / "a.db")
    with pytest.raises(SearchError, match=f"a.db holds 'net/level' of another search: .*{told}"):
        Table.open(tmp_path / "a.db", "net/level", now)
    Table.open(tmp_path / "a.db", "net/other", now)


def test_candidates_that_this_search_would_not_propose_are_an_error():
    table = begun(None)
    with pytest.raises(SearchError, match=r"holds candidate \S+ \(generation 0, index 1\) where this search proposes"):
        table.enqueue([FIRST[0], replace(FIRST[1], answers=(0, 0, 0)), *FIRST[2:]])


def test_no_candidate_is_claimed_by_two_processes(tmp_path):
    """With SQLite as it comes, several are: what reads a trial as waiting does not lock it."""
    method = RandomSearch(24, 24)
    table = Table.open(tmp_path / "a.db", "net/level", about(SMALL, method, limits=LIMITS, seed=0))
    table.enqueue(propose(SMALL, method, limits=LIMITS, price=price, seed=0, generation=0, done=()))
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(3), context.Queue()
    processes = [
        context.Process(target=claims_of, args=(tmp_path / "a.db", "net/level", start, results)) for _ in range(3)
    ]
    for process in processes:
        process.start()
    claimed = Counter(itertools.chain.from_iterable(results.get(timeout=60) for _ in processes))
    for process in processes:
        process.join()
    assert len(claimed) == 24
    assert set(claimed.values()) == {1}


def test_every_kind_of_table_ends_up_the_same(tmp_path):
    tables = [search(w) for w in (None, tmp_path / "a.db", f"journal:{tmp_path}/a.log")]
    assert facts(tables[0]) == facts(tables[1]) == facts(tables[2])
    assert len(tables[0]) == sum(BRIEF.batches)


def test_the_csv_has_a_row_a_candidate(tmp_path):
    done = search(tmp_path / "a.db")
    Table.open(tmp_path / "a.db", "level", BEGUN).write_csv(tmp_path / "candidates.csv")
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


def test_odd_names_of_folders_are_places_like_others(tmp_path):
    path = tmp_path / "a b%20{c}#d" / "é?.db"
    begun(path)
    assert path.is_file()
    assert len(list(iter(lambda: Table.join(path, "net/level").claim("me:1:1"), None))) == 6


@pytest.mark.parametrize(
    ("where", "told"),
    [
        (
            "mysql://me:secret@host/db",
            "mysql://me:...@host/db is no place for a table of candidates; give a path, postgresql",
        ),
        (
            "postgresql://me:secret@localhost:1/db",
            "cannot open the table of candidates postgresql://me:...@localhost:1/db",
        ),
    ],
)
def test_a_place_that_is_none_is_an_error_that_keeps_the_password(where, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SearchError, match=told) as error:
        Table.open(where, "level", BEGUN)
    assert "secret" not in str(error.value)


def test_a_file_that_is_no_table_is_an_error(tmp_path):
    (tmp_path / "a.db").write_text("pictures\n" * 100)
    with pytest.raises(SearchError, match=r"cannot open the table of candidates \S*a.db: .*file is not a database"):
        Table.open(tmp_path / "a.db", "level", BEGUN)


def test_a_worker_joins_only_a_search_that_was_begun(tmp_path):
    begun(tmp_path / "a.db")
    with pytest.raises(SearchError, match=r"a.db has no table 'other'; begin the search first"):
        Table.join(tmp_path / "a.db", "other")


def test_a_thousand_candidates_are_read_once():
    """The table keeps what is complete: reading it again reads only what is new."""
    method = Evolution(generations=2, population=100, mutations=10, crossovers=10)
    table = Table.open(None, "level", about(SMALL, method, limits=LIMITS, seed=0))
    table.enqueue(propose(SMALL, method, limits=LIMITS, price=price, seed=0, generation=0, done=()))
    while claim := table.claim("me:1:1"):
        table.finish(claim, accuracy=0.5, n=1, seconds=0)
    first, again = table.candidates(), table.candidates()
    assert all(a is b for a, b in zip(first, again, strict=True))
