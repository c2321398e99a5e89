import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pg8000.dbapi
import pytest

from glocal.errors import SearchError, Stopped, TrialError
from glocal.searching.candidates.candidate import Candidate
from glocal.searching.candidates.candidate_table import EvaluateCandidates, candidates, open_candidates
from glocal.trials import recovery
from glocal.trials.table import Table
from glocal.trials.workers import worker as workers
from glocal.trials.workers.liveness import DeadWorkers, Held, is_alive, worker_name
from glocal.trials.workers.worker import work
from landscape import BRIEF, STRATEGY, Additive, Deadly, facts, search
from postgres import postgres_server

TRUTH = facts(search(None))
SLOW = Additive(sleep_s=0.05)


def coordinator(where, *, workers: int, task: str = "Additive(sleep_s=0.05)") -> subprocess.Popen:
    code = f"from landscape import *; print(len(search({str(where)!r}, workers={workers}, task={task})))"
    return subprocess.Popen([sys.executable, "-c", code], cwd="tests", stderr=subprocess.PIPE, text=True)


def workers_of(pid: int) -> list[int]:
    """The workers of a process; what multiprocessing has beside them tracks resources."""
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [int(child) for child in children if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text()]
    return []


def state(pid: int) -> str:
    """Of a process: R, S or D while it lives, Z when nobody has asked how it ended, X when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def evaluated(where) -> list[Candidate]:
    with contextlib.suppress(TrialError), Table.join(where, "level") as table:
        return candidates(table)
    return []


def until(true, *, within_s: float = 180.0) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "nothing came of it"
        time.sleep(0.02)


@pytest.mark.parametrize("number", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_any_number_of_workers_evaluates_the_same_candidates_to_the_same_accuracies(number, tmp_path):
    done = search(tmp_path / "a.db", workers=number, task=SLOW)
    assert facts(done) == TRUTH
    assert len({c.worker for c in done}) == number


def test_a_search_that_is_done_is_read_and_not_done_again(tmp_path):
    search(tmp_path / "a.db")
    generations = []
    done = search(tmp_path / "a.db", workers=2, task=Additive(fails_at=TRUTH[0][2]), on_generation=generations.append)
    assert facts(done) == TRUTH
    assert [len(generation) for generation in generations] == list(BRIEF.batches)


@pytest.mark.parametrize("number", [1, 2])
def test_what_an_evaluator_raises_reaches_the_user_with_the_candidate(number, tmp_path):
    fails_at = TRUTH[4][2]
    message = rf"candidate {'-'.join(map(str, fails_at))} \(generation 0, index 4\) could not be evaluated: ValueError: no such"
    with pytest.raises(SearchError, match=message) as error:
        search(tmp_path / "a.db", workers=number, task=Additive(fails_at=fails_at))
    where = "".join(getattr(error.value, "__notes__", [])) or repr(error.value.__cause__)
    assert "no such luck" in where, "the traceback of the evaluator"
    assert facts(search(tmp_path / "a.db")) == TRUTH, "the table is whole, and the search goes on"


def test_an_accuracy_that_is_no_number_ends_the_search_and_is_not_written(tmp_path):
    with pytest.raises(SearchError, match=r"\(generation 0, index 0\): its accuracy is nan"):
        search(tmp_path / "a.db", task=Additive(gives=float("nan")))
    assert evaluated(tmp_path / "a.db") == []
    assert facts(search(tmp_path / "a.db")) == TRUTH


def test_after_the_deadline_no_generation_is_begun(tmp_path):
    deadline, generations = time.monotonic() + 2, []

    def tell(generation):
        generations.append(generation)
        time.sleep(max(0.0, deadline - time.monotonic()))

    begun = search(tmp_path / "a.db", deadline=deadline, on_generation=tell)
    assert len(generations) == 1
    assert facts(begun) == TRUTH[:6]
    assert facts(search(tmp_path / "a.db", deadline=time.monotonic() - 1)) == TRUTH[:6]
    assert facts(search(tmp_path / "a.db")) == TRUTH


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_search_and_nothing_is_lost(number, tmp_path):
    def stop(generation):
        os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    with pytest.raises(
        Stopped, match=r"between trials; those that are finished are in \S*a.db: run the same command again"
    ) as error:
        search(tmp_path / "a.db", on_generation=stop)
    assert error.value.exit_code == 128 + number
    assert signal.getsignal(number) == before
    assert facts(evaluated(tmp_path / "a.db")) == TRUTH[:6]
    assert facts(search(tmp_path / "a.db")) == TRUTH


def test_a_signal_amid_a_statement_of_sql_is_a_signal_and_no_error_of_the_database(tmp_path, monkeypatch):
    statements = []

    class Cursor(sqlite3.Cursor):
        def execute(self, *arguments):
            statements.append(arguments)
            if len(statements) == 300:
                os.kill(os.getpid(), signal.SIGINT)
            return super().execute(*arguments)

    class Connection(sqlite3.Connection):
        def cursor(self, factory=Cursor):
            return super().cursor(factory)

    connect = partial(sqlite3.connect, factory=Connection)
    monkeypatch.setattr("glocal.trials.storage.sqlite3.connect", connect)
    with pytest.raises(Stopped):
        search(tmp_path / "a.db")
    assert facts(search(tmp_path / "a.db")) == TRUTH


class Interrupted:
    """A task amid which a signal comes."""

    def evaluator(self):
        def evaluate(answers):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(30)

        return evaluate


def test_a_signal_amid_an_evaluation_puts_the_candidate_back(tmp_path):
    with pytest.raises(Stopped):
        search(tmp_path / "a.db", task=Interrupted())
    assert Table.join(tmp_path / "a.db", "level").held() == []


def test_workers_end_with_their_coordinator_however_it_ends(tmp_path):
    with coordinator(tmp_path / "a.db", workers=2) as process:
        until(lambda: evaluated(tmp_path / "a.db"))
        workers = workers_of(process.pid)
        process.kill()
    assert len(workers) == 2
    until(lambda: not any(state(pid) in "RSD" for pid in workers))


def killed_and_resumed(where, *, kills: int, seed: int) -> None:
    """Kills workers and their coordinator in turn at drawn moments; a coordinator is begun again until it comes through."""
    rng = random.Random(seed)
    process = coordinator(where, workers=2)
    for kill in range(kills):
        seen = len(evaluated(where))
        until(lambda process=process, seen=seen: process.poll() is not None or len(evaluated(where)) > seen)
        time.sleep(rng.random() * 0.2)
        if process.poll() is not None:
            break
        if kill % 2:
            process.kill()
            process.communicate()
            process = coordinator(where, workers=2)
        elif workers := workers_of(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(rng.choice(workers), signal.SIGKILL)
    assert process.communicate(timeout=300)[1] == ""
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("kills", "seed"), [pytest.param(kills, kills, marks=pytest.mark.slow) for kills in (2, 5, 20, 21, 22)]
)
def test_a_search_whose_processes_are_killed_ends_with_the_same_table(kills, seed, tmp_path):
    killed_and_resumed(tmp_path / "a.db", kills=kills, seed=seed)
    assert facts(evaluated(tmp_path / "a.db")) == TRUTH
    assert facts(search(tmp_path / "a.db")) == TRUTH


@pytest.mark.slow
def test_a_search_on_a_server_is_the_same_and_is_killed_as_well(postgres):
    assert facts(search(f"{postgres}/postgres", task=SLOW, seed=0)) == TRUTH
    with contextlib.closing(
        pg8000.dbapi.connect(user="postgres", host="127.0.0.1", port=int(postgres.rpartition(":")[2]))
    ) as server:
        server.autocommit = True
        server.cursor().execute("CREATE DATABASE another")
    killed_and_resumed(f"{postgres}/another", kills=5, seed=0)
    assert facts(evaluated(f"{postgres}/another")) == TRUTH


@pytest.fixture
def postgres():
    """The URL of a server of PostgreSQL."""
    with postgres_server() as server:
        yield f"postgresql://postgres@{server.place}"


def test_workers_that_die_and_die_again_end_the_search(tmp_path, monkeypatch):
    monkeypatch.setattr(recovery, "DEATHS", 0)
    with pytest.raises(
        TrialError, match=r"1 workers died one after the other \(exit code 7\), and nothing was finished"
    ):
        search(tmp_path / "a.db", workers=2, task=Deadly())
    assert facts(search(tmp_path / "a.db")) == TRUTH


@pytest.mark.slow
def test_a_script_that_has_no_guard_is_told_so(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import sys\nsys.path.insert(0, 'tests')\nfrom landscape import *\nsearch('a.db', workers=2)\n")
    done = subprocess.run([sys.executable, script], cwd=".", capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert 'A script that starts several needs: if __name__ == "__main__"' in done.stderr


@pytest.mark.slow
def test_a_machine_that_joins_takes_its_part(tmp_path):
    """Here another process, which was generations no more than where the table is."""
    table = tmp_path / "a.db"
    code = f"from landscape import *; print(join({str(table)!r}))"
    joined = []

    def join(generation):
        if not joined:
            joined.append(
                subprocess.Popen([sys.executable, "-c", code], cwd="tests", stdout=subprocess.PIPE, text=True)
            )
            time.sleep(3)

    done = search(table, task=Additive(sleep_s=0.2), on_generation=join)
    assert facts(done) == TRUTH
    evaluated = int(joined[0].communicate(timeout=60)[0])  # it leaves when the search is over
    assert evaluated == sum(c.worker != worker_name() for c in done)
    assert evaluated > 0


def test_a_worker_leaves_when_nothing_comes(tmp_path):
    search(tmp_path / "a.db", deadline=time.monotonic() - 1)
    open_candidates(tmp_path / "a.db", "level", STRATEGY)
    assert work(EvaluateCandidates(Additive()), tmp_path / "a.db", "level", patience_s=0.1) == 0


def test_a_machine_that_is_silent_is_taken_for_dead_and_one_that_beats_is_not(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("glocal.trials.workers.liveness.time", SimpleNamespace(monotonic=lambda: now[0]))
    workers = DeadWorkers(stale_s=100)
    for beats, now[0] in enumerate(range(0, 301, 20)):
        dead = workers.among(
            [Held(1, "far:1:1", beats), Held(2, "away:1:1", 1), Held(3, worker_name(), 0), Held(4, "", 0)]
        )
        assert [h.number for h in dead] == [t for t in (2, 4) if now[0] > {2: 100, 4: 5}[t]]


def test_a_process_is_known_by_its_number_and_when_it_began():
    me = worker_name()
    assert is_alive(me)
    machine, pid, started = me.rsplit(":", 2)
    assert is_alive(f"{machine}:{pid}:{int(started) - 1}") is False, "one of before, of the same number"
    assert is_alive(f"elsewhere:{pid}:{started}") is None
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    until(lambda: state(ended.pid) == "Z")
    assert is_alive(f"{machine}:{ended.pid}:0") is False, "it has ended, and nobody has asked how"
    ended.wait()


def test_a_worker_beats_while_it_evaluates(monkeypatch):
    monkeypatch.setattr(workers, "HEARTBEAT_S", 0.01)
    beats = []
    monkeypatch.setattr(Table, "heartbeat", lambda self, claim, count: beats.append(count))
    done = search(None, task=Additive(sleep_s=0.05))
    assert facts(done) == TRUTH
    assert beats[:2] == [1, 2]


def test_a_table_in_memory_and_no_workers_are_refused(tmp_path):
    with pytest.raises(TrialError, match="no other process can read a table in memory"):
        search(None, workers=2)
    with pytest.raises(TrialError, match="0 workers run nothing"):
        search(tmp_path / "a.db", workers=0)
