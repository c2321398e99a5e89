"""A table outlasts a server of PostgreSQL that dies and is started again, and what is no lost connection is not tried again."""

import threading

import pytest

from glocal.errors import TrialError
from glocal.trials import storage
from glocal.trials.table import Table
from glocal.trials.trial import Trial
from postgres import postgres_server

TRIALS = [Trial(str(i), {"i": i}, {}) for i in range(12)]


@pytest.fixture
def server():
    with postgres_server() as server:
        yield server


@pytest.mark.slow
def test_a_table_goes_on_where_its_server_dies_and_comes_back(server):
    with Table.open(f"postgresql://postgres@{server.place}/postgres", "x", identity={}, value="v") as table:
        table.enqueue(TRIALS)
        for i in range(len(TRIALS)):
            if i % 4 == 2:
                server.kill()
                back = threading.Timer(1.0, server.start)
                back.start()
            claim = table.claim("me")
            table.heartbeat(claim, 1)
            table.finish(claim, {"v": claim.trial.settings["i"]}, seconds=0)
            if i % 4 == 2:
                back.join()
        assert table.all_finished()
        assert [(trial.key, trial.result) for trial in table.trials()] == [
            (t.key, {"v": i}) for i, t in enumerate(TRIALS)
        ]


@pytest.mark.slow
def test_a_server_that_stays_away_is_named(server, monkeypatch):
    monkeypatch.setattr(storage, "PAUSES_S", (0.01, 0.01))
    with Table.open(f"postgresql://postgres@{server.place}/postgres", "x", identity={}) as table:
        server.kill()
        with pytest.raises(
            TrialError, match=r"lost the table of trials postgresql://postgres@.* run the same command again"
        ):
            table.enqueue(TRIALS)


def test_an_error_of_a_call_is_not_tried_again():
    calls = []

    class Backend:
        def get_trial(self, number: int) -> None:
            calls.append(number)
            raise KeyError(number)

    patient = storage._Patient(storage.Storage(Backend(), lambda: None))
    with pytest.raises(KeyError):
        patient.get_trial(3)
    assert calls == [3]
