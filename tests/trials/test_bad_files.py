"""Whatever bytes a table or a plan has: it is read, or an error names the file."""

import random
import shutil
from pathlib import Path

import pytest

from damage import BYTES, damaged
from glocal.errors import TrialError
from glocal.trials.plan import Phase, Plan
from glocal.trials.table import Table
from glocal.trials.trial import Trial
from tries import tries

TRIALS = [Trial(f"trial {i}", {"i": i, "text": "é", "lists": [[1], []]}, {"i": i}) for i in range(4)]
KINDS = ("sqlite", "journal")


def opened(where) -> Table:
    return Table.open(where, "t", identity={"seed": 0}, choices={"i": range(4)}, value="accuracy")


def path_of(where: str) -> Path:
    return Path(where.removeprefix("journal:"))


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> dict[str, bytes]:
    """The bytes of a table with two finished trials, one that is held and one that waits."""
    folder, contents = tmp_path_factory.mktemp("tables"), {}
    for kind, where in {"sqlite": f"{folder}/a.db", "journal": f"journal:{folder}/a.log"}.items():
        with opened(where) as table:
            table.enqueue(TRIALS)
            for _ in range(2):
                table.finish(table.claim("me:1:1"), {"accuracy": 0.5}, seconds=1.0)
            table.claim("me:1:1")
        if kind == "sqlite":  # so that what is in the write-ahead log is in the file
            import sqlite3

            sqlite3.connect(f"{folder}/a.db").execute("PRAGMA wal_checkpoint(TRUNCATE)").connection.close()
        contents[kind] = path_of(where).read_bytes()
    return contents


def is_used_or_refused(where: str, data: bytes) -> bool:
    """Whether a coordinator and a worker could use a file of these bytes."""
    path = path_of(where)
    for file in path.parent.glob(f"{path.name}*"):
        shutil.rmtree(file) if file.is_dir() else file.unlink(missing_ok=True)
    path.write_bytes(data)
    try:
        with opened(where) as table:
            table.enqueue(TRIALS)
            for held in table.held():
                table.put_back(held.number)
            while claim := table.claim("you:2:2"):
                table.finish(claim, {"accuracy": 0.25}, seconds=1.0)
            assert table.all_finished()
            assert all(trial.result is not None for trial in table.trials())
            table.complete()
    except TrialError as error:
        message = str(error)
    else:
        return True
    assert str(path) in message
    assert len(message) < 5000
    return False


def places(folder: Path) -> dict[str, str]:
    return {"sqlite": f"{folder}/b.db", "journal": f"journal:{folder}/b.log"}


@pytest.mark.parametrize("kind", KINDS)
def test_an_undamaged_table_is_used(kind, tables, tmp_path):
    assert is_used_or_refused(places(tmp_path)[kind], tables[kind])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("data", [b"", b"\n", b"{}\n", b"null\n", b"pictures\n" * 50, *BYTES, b"\x00" * 4096])
def test_a_file_of_something_else_is_named_or_becomes_a_table(kind, data, tmp_path):
    is_used_or_refused(places(tmp_path)[kind], data)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_cut_off_is_named_or_used(kind, tables, tmp_path):
    whole = tables[kind]
    for end in range(0, len(whole), len(whole) // 8):
        is_used_or_refused(places(tmp_path)[kind], whole[:end])


def fuzz(kind: str, tables, folder: Path, *, n: int, seed: int) -> int:
    rng = random.Random(f"{kind} {seed}")
    return sum(is_used_or_refused(places(folder)[kind], damaged(tables[kind], rng)) for _ in range(n))


@pytest.mark.parametrize(("kind", "n"), [("sqlite", 40), ("journal", 200)])
def test_a_damaged_table_is_used_or_named(kind, n, tables, tmp_path):
    assert 0 < fuzz(kind, tables, tmp_path, n=n, seed=0) < n


@pytest.mark.slow
@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(1, 11))
@pytest.mark.parametrize("kind", KINDS)
def test_many_damaged_tables_are_used_or_named(kind, tables, tmp_path, seed):
    fuzz(kind, tables, tmp_path, n=tries(10_000) // 10, seed=seed)


PHASES = (Phase("first/train", "epochs", 2), Phase("second/train", "epochs", 1))


@pytest.fixture
def plan(tmp_path) -> Plan:
    plan = Plan.read(tmp_path / "plan.json", PHASES, budget_s=100.0)
    plan.decide("first/train", lambda name: 1.0)
    with plan.spending("first/train"):
        pass
    return plan


def plan_is_read_or_refused(path: Path, data: bytes) -> bool:
    path.write_bytes(data)
    try:
        again = Plan.read(path, PHASES, budget_s=100.0)
        again.decide("second/train", lambda name: 1.0)
        assert again.quote(lambda name: 1.0).seconds >= 0
    except TrialError as error:
        message = str(error)
    else:
        return True
    assert str(path) in message
    return False


def test_a_damaged_plan_is_read_or_named(plan):
    rng, whole = random.Random(0), plan.path.read_bytes()
    assert plan_is_read_or_refused(plan.path, whole)
    results = [plan_is_read_or_refused(plan.path, damaged(whole, rng)) for _ in range(500)]
    assert 0 < sum(results) < len(results)


@pytest.mark.slow
@pytest.mark.campaign
def test_many_damaged_plans_are_read_or_named(plan):
    rng, whole = random.Random(1), plan.path.read_bytes()
    for _ in range(tries(20_000)):
        plan_is_read_or_refused(plan.path, damaged(whole, rng))
