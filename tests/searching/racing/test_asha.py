"""ASHA with real workers: every decision is in the table, one worker decides alike in every run, and a kill loses nothing."""

import random
import subprocess
import sys
import time

import pytest

from climbing import BUDGET, HORIZON, NETWORKS, MadeUp, climbed, decisions
from glocal.errors import TrialError
from glocal.trials.workers.worker import work
from killing import ENV, finished
from tries import tries


def told(trials):
    return [(trial.key, trial.settings, trial.result) for trial in trials]


def started(where, *, workers, sleep_s):
    code = f"from climbing import *; climbed({str(where)!r}, workers={workers}, sleep_s={sleep_s})"
    return subprocess.Popen([sys.executable, "-c", code], cwd="tests", env=ENV, stderr=subprocess.PIPE)


def decided(where):
    try:
        return decisions(where)
    except TrialError:  # killed before the table was there
        return []


def killed(where, *, workers, rng):
    """Starts the search, and kills it a moment after it has decided something, or some things, more."""
    before = len(decided(where))
    process = started(where, workers=workers, sleep_s=0.03)
    more = rng.randint(1, 3)
    while len(decided(where)) < before + more and process.poll() is None:
        time.sleep(0.02)
    time.sleep(rng.uniform(0, 0.2))
    process.kill()
    process.communicate()


def check(trials):
    """What holds of any table: no more than the budget, nothing twice, and each promotion says what it came from."""
    epochs, full = {}, 0
    for trial in trials:
        (network,), to = trial.settings["answers"], trial.settings["epochs"]
        assert (network in epochs) == ("promoted" in trial.settings)
        if network in epochs:
            promoted = trial.settings["promoted"]
            assert epochs[network] == promoted["after"] < to
            assert 1 <= promoted["place"] <= promoted["of"] <= NETWORKS
        epochs[network] = to
        full += to == HORIZON
    assert full >= 2
    assert BUDGET - HORIZON < sum(epochs.values()) <= BUDGET


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_the_table_holds_what_was_decided_and_why(workers, tmp_path):
    where = tmp_path / "a.db"
    found = climbed(where, workers=workers)
    trials = decisions(where)
    check(trials)
    best = max((t for t in trials if t.settings["epochs"] == HORIZON), key=lambda t: t.result["accuracy"])
    assert best.result["accuracy"] == found.accuracy
    assert climbed(where) == found, "a search that is done is read"
    assert told(decisions(where)) == told(trials)
    promoted = {f"{t.settings['answers'][0]}" for t in trials if "promoted" in t.settings}
    first, last = found.race.rungs
    assert {*first.survivors} == promoted == {standing.arm for standing in last.standings}


@pytest.mark.slow
def test_one_worker_that_is_killed_again_and_again_decides_as_one_that_was_not(tmp_path):
    whole, again, rng = tmp_path / "whole.db", tmp_path / "again.db", random.Random(0)
    climbed(whole)
    for _ in range(tries(20)):
        killed(again, workers=1, rng=rng)
    climbed(again)
    assert told(decisions(again)) == told(decisions(whole))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, 4])
def test_a_kill_takes_no_decision_back(workers, tmp_path):
    where, rng, before = tmp_path / "a.db", random.Random(workers), []
    for _ in range(tries(20)):
        killed(where, workers=workers, rng=rng)
        now = decided(where)
        assert [(t.key, t.settings) for t in now][: len(before)] == before
        before = [(t.key, t.settings) for t in now]
    climbed(where, workers=workers)
    check(decisions(where))


@pytest.mark.slow
def test_a_machine_that_joins_finds_something_to_do(tmp_path):
    where = tmp_path / "a.db"
    search = started(where, workers=1, sleep_s=0.1)
    while not decided(where) and search.poll() is None:
        time.sleep(0.05)
    joined = work(MadeUp(0.1), str(where), "race", patience_s=30)
    finished(search)
    trials = decisions(where)
    check(trials)
    assert joined > 1
    assert len({trial.worker for trial in trials}) == 2
