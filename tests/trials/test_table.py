"""A table holds trials of any kind: each is claimed by one worker, finished once and read back as it was."""

import itertools
import multiprocessing
import os
from collections import Counter
from dataclasses import replace
from urllib.parse import quote

import pytest

from glocal.errors import TrialError
from glocal.trials.place import TrialPlace
from glocal.trials.storage import remember_password, with_password
from glocal.trials.table import Table
from glocal.trials.trial import Trial
from landscape import claims_of

# A study's trials: two arms with three seeds each.
IDENTITY = {"study": "widths", "recipe": {"epochs": 3, "lr": 0.001}}
CHOICES = {"arm": ("narrow", "wide"), "seed": (0, 1, 2)}
TRIALS = [
    Trial(f"{arm}, seed {seed}", {"arm": arm, "seed": seed, "epochs": 3, "edits": {}}, {"arm": arm, "seed": seed})
    for arm in ("narrow", "wide")
    for seed in range(3)
]


@pytest.fixture(params=["memory", "file", "journal"])
def where(request, tmp_path):
    places = {"memory": None, "file": tmp_path / "trials.db", "journal": f"journal:{tmp_path}/trials.log"}
    return places[request.param]


def opened(where) -> Table:
    return Table.open(where, "widths", identity=IDENTITY, choices=CHOICES, value="accuracy")


def started(where) -> Table:
    table = opened(where)
    table.enqueue(TRIALS)
    return table


def test_a_trial_is_claimed_finished_and_read_back_as_it_was(where):
    table = started(where)
    assert table.trials() == []
    claim = table.claim("me:1:1")
    assert claim.trial == TRIALS[0]
    result = {"accuracy": 1 / 3, "wrong": ["a.png", "ü.png"], "folder": None}
    table.finish(claim, result, seconds=0.25)
    assert table.trials() == [replace(TRIALS[0], result=result, seconds=0.25, worker="me:1:1")]
    assert not table.all_finished()
    while claim := table.claim("me:1:1"):
        table.finish(claim, {"accuracy": 0.5}, seconds=0.25)
    assert table.all_finished()
    assert [t.key for t in table.trials()] == [t.key for t in TRIALS]


def test_trials_that_were_enqueued_in_part_are_completed_and_never_doubled(where):
    table = opened(where)
    table.enqueue(TRIALS[:3])
    claims = [table.claim("me:1:1"), table.claim("me:1:1")]
    table.finish(claims[0], {"accuracy": 0.5}, seconds=0)
    table.enqueue(TRIALS)
    table.enqueue(TRIALS)
    others = list(iter(lambda: table.claim("other:1:1"), None))
    assert [c.trial.key for c in claims + others] == [t.key for t in TRIALS]


def test_more_trials_can_be_added_later_and_those_before_stay(where):
    """As a study does that needs more seeds."""
    with opened(where) as table:
        table.enqueue(TRIALS[:2])
        while claim := table.claim("me:1:1"):
            table.finish(claim, {"accuracy": 0.5}, seconds=0)
        table.complete()
        assert table.is_complete
        if where is None:
            table.enqueue(TRIALS[2:])
    if where is not None:
        table = opened(where)
        assert not table.is_complete, "a coordinator has come back"
        table.enqueue(TRIALS[2:])
    assert not table.all_finished()
    assert [c.trial.key for c in iter(lambda: table.claim("me:1:1"), None)] == [t.key for t in TRIALS[2:]]


def test_the_trials_of_a_worker_wait_again_when_they_are_put_back(where):
    table = started(where)
    mine, theirs = table.claim("me:1:1"), table.claim("other:1:1")
    assert [(h.number, h.worker) for h in table.held()] == [(mine.number, "me:1:1"), (theirs.number, "other:1:1")]
    table.put_back(mine.number)
    assert [h.worker for h in table.held()] == ["other:1:1"]
    taken = list(iter(lambda: table.claim("third:1:1").trial.key, TRIALS[0].key))
    assert taken == [t.key for t in TRIALS[2:]], "before the one that was put back"


def test_of_two_results_of_a_trial_the_first_stays(where):
    table = started(where)
    slow = table.claim("slow:1:1")
    table.put_back(slow.number)  # it was taken for dead
    while (quick := table.claim("quick:1:1")).number != slow.number:
        pass
    table.finish(quick, {"accuracy": 0.5, "n": 10}, seconds=1.0)
    table.heartbeat(slow, 1)
    table.finish(slow, {"accuracy": 0.4, "n": 11}, seconds=2.0)
    table.put_back(slow.number)
    assert [(t.result, t.worker) for t in table.trials()] == [({"accuracy": 0.5, "n": 10}, "quick:1:1")]


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ({"accuracy": float("nan")}, "its result is not plain data"),
        ({"accuracy": 0.5, "loss": float("inf")}, "its result is not plain data"),
        ({"accuracy": 0.5, "scores": {1, 2}}, "its result is not plain data: .*set"),
        ({"accuracy": "0.5"}, "its result has no finite number 'accuracy'"),
        ({"top1": 0.5}, "its result has no finite number 'accuracy'"),
    ],
)
def test_a_result_that_cannot_be_kept_is_an_error_that_names_the_trial(result, message):
    table = started(None)
    claim = table.claim("me:1:1")
    with pytest.raises(TrialError, match=f"trial 'narrow, seed 0': {message}"):
        table.finish(claim, result, seconds=0)
    assert table.trials() == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"study": "depths"}, "study was widths, is now depths"),
        ({"recipe": {"epochs": 3, "lr": 0.01}}, "recipe.lr was 0.001, is now 0.01"),
        ({"data": "abc"}, "data was not given, is now abc"),
    ],
)
def test_a_table_that_was_started_with_other_settings_is_an_error_that_names_them(changes, message, tmp_path):
    started(tmp_path / "a.db")
    with pytest.raises(TrialError, match=f"a.db holds a table 'widths' of other trials: {message}"):
        Table.open(tmp_path / "a.db", "widths", identity={**IDENTITY, **changes})
    Table.open(tmp_path / "a.db", "another", identity={**IDENTITY, **changes})


def test_one_key_with_other_settings_is_an_error():
    table = started(None)
    other = replace(TRIALS[1], settings={**TRIALS[1].settings, "epochs": 4})
    with pytest.raises(TrialError, match="holds trial 'narrow, seed 1' with other settings: epochs was 3, is now 4"):
        table.enqueue([TRIALS[0], other])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"arm": "narrow"}, r"has the parameters \['arm'\], and its table has \['arm', 'seed'\]"),
        ({"arm": "tall", "seed": 0}, r"arm is 'tall', and its table has \['narrow', 'wide'\]"),
    ],
)
def test_parameters_that_the_table_does_not_have_are_an_error(parameters, message):
    with pytest.raises(TrialError, match=message):
        opened(None).enqueue([replace(TRIALS[0], parameters=parameters)])


def test_optunas_own_tools_read_the_table(tmp_path):
    import optuna

    table = started(tmp_path / "a.db")
    while claim := table.claim("me:1:1"):
        table.finish(claim, {"accuracy": claim.trial.settings["seed"] / 10}, seconds=0)
    study = optuna.load_study(study_name="widths", storage=f"sqlite:///{tmp_path}/a.db")
    assert study.best_params == {"arm": "narrow", "seed": 2}
    assert study.best_value == 0.2
    assert [t.params for t in study.trials] == [dict(t.parameters) for t in TRIALS]


def test_no_trial_is_claimed_by_two_processes(tmp_path):
    """With SQLite as it comes, several would claim one: reading a trial as waiting does not lock it."""
    table = Table.open(tmp_path / "a.db", "many", identity={})
    table.enqueue([Trial(str(i), {"i": i}) for i in range(24)])
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(3), context.Queue()
    processes = [context.Process(target=claims_of, args=(tmp_path / "a.db", "many", start, results)) for _ in range(3)]
    for process in processes:
        process.start()
    claimed = Counter(itertools.chain.from_iterable(results.get(timeout=60) for _ in processes))
    for process in processes:
        process.join()
    assert len(claimed) == 24
    assert set(claimed.values()) == {1}


def test_odd_names_of_folders_are_paths_like_others(tmp_path):
    path = tmp_path / "a b%20{c}#d" / "é?.db"
    started(path)
    assert path.is_file()
    assert len(list(iter(lambda: Table.join(path, "widths").claim("me:1:1"), None))) == 6


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (
            "mysql://me:secret@host/db",
            "mysql://me@host/db is no storage for a table of trials; give a path, postgresql",
        ),
        (
            "postgresql://me:secret@localhost:1/db",
            "cannot open the table of trials postgresql://me@localhost:1/db",
        ),
    ],
)
def test_a_storage_that_is_none_is_an_error_that_keeps_the_password(where, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TrialError, match=message) as error:
        opened(where)
    assert "secret" not in str(error.value)


def test_a_file_that_is_no_table_is_an_error(tmp_path):
    (tmp_path / "a.db").write_text("pictures\n" * 100)
    with pytest.raises(TrialError, match=r"cannot open the table of trials \S*a.db: .*file is not a database"):
        opened(tmp_path / "a.db")


def test_a_worker_joins_only_a_table_that_was_started(tmp_path):
    started(tmp_path / "a.db")
    with pytest.raises(TrialError, match=r"a.db has no table 'other'; start it first"):
        Table.join(tmp_path / "a.db", "other")


def test_a_table_whose_coordinator_was_killed_while_it_started_is_started_again(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(
            "optuna.storages.RDBStorage.set_study_user_attr", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            opened(tmp_path / "a.db")
    with pytest.raises(TrialError, match="start it first"):
        Table.join(tmp_path / "a.db", "widths")
    assert started(tmp_path / "a.db").claim("me:1:1").trial == TRIALS[0]


def test_a_finished_trial_is_read_from_the_storage_once():
    table = started(None)
    while claim := table.claim("me:1:1"):
        table.finish(claim, {"accuracy": 0.5}, seconds=0)
    first, again = table.trials(), table.trials()
    assert all(a is b for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("password", ["secret", "s@c/r:t", "%20"])
def test_the_password_of_a_storage_is_remembered_and_not_recorded(password, monkeypatch):
    monkeypatch.delenv("PGPASSWORD", raising=False)
    url = f"postgresql://me:{quote(password, safe='')}@host/db"
    remember_password(url)
    assert os.environ["PGPASSWORD"] == password
    stored = TrialPlace(storage=url).record().storage
    assert stored == "postgresql://me@host/db"
    assert with_password(stored) == url
    assert with_password("postgresql://you:other@host/db") == "postgresql://you:other@host/db"
    assert with_password("some/path.db") == "some/path.db"
