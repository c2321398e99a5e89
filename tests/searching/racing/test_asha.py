"""ASHA with real workers: every decision is in the table, one worker decides alike in every run, and a kill loses nothing."""

import os
import random
import subprocess
import sys
import time
from functools import partial
from itertools import pairwise

import pytest

from climbing import BUDGET, HORIZON, NETWORKS, MadeUp, climbed, decisions
from glocal.errors import TrialError
from glocal.trials import recovery, table
from glocal.trials.storage import open_storage
from glocal.trials.workers import liveness, pool
from glocal.trials.workers.worker import work
from killing import ENV, finished


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


class Killed(BaseException):
    """What a storage raises from the moment of the kill on: nothing that comes later is written, not even what cleans up."""


class Dying:
    """A storage whose process is killed before a write."""

    def __init__(self, storage, moments):
        self.storage, self.moments, self.dead = storage, moments, False

    def __getattr__(self, name):
        method = getattr(self.storage, name)
        if not name.startswith(("set_", "create_")):
            return method

        def write(*args, **how):
            self.dead = self.dead or next(self.moments)
            if self.dead:
                raise Killed
            return method(*args, **how)

        return write


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
    for rung, above in pairwise(found.race.rungs):
        after = rung.standings[0].epochs
        promoted = {
            f"{t.settings['answers'][0]}" for t in trials if t.settings.get("promoted", {}).get("after") == after
        }
        assert {*rung.survivors} == promoted == {standing.arm for standing in above.standings}


@pytest.mark.slow
def test_one_worker_that_is_killed_again_and_again_decides_as_one_that_was_not(tmp_path, monkeypatch):
    """At one write in ten, whatever it writes. A process that is started again has another name."""
    rng, kills = random.Random(0), 0
    moments = iter(lambda: rng.random() < 0.1, None)

    def opened(where):
        storage, close = open_storage(where)
        return Dying(storage, moments), close

    climbed(tmp_path / "whole.db")
    whole = decisions(tmp_path / "whole.db")
    with monkeypatch.context() as patched:
        patched.setattr(table, "open_storage", opened)
        patched.setattr(recovery, "CHECK_S", 0.0)
        patched.setattr(liveness, "CLAIM_S", 0.0)
        while kills < 1000:
            patched.setattr(
                pool, "worker_name", partial("{}:{}:{}".format, liveness._machine(), os.getpid(), kills + 1)
            )
            try:
                climbed(tmp_path / "killed.db")
                break
            except Killed:
                kills += 1
    assert kills > 5
    assert told(decisions(tmp_path / "killed.db")) == told(whole)


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
