"""What goes wrong while a command runs: memory, processes, pictures, clocks, networks, and a second command for one folder."""

import contextlib
import http.server
import os
import random
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from campaigns.conftest import SETTINGS, parts_left
from campaigns.forks import Fork
from campaigns.test_exactness import fresh
from campaigns.test_kills import MANY_RUNS, STUDY, all_whole, assert_same, found, results
from glocal.files import write_whole
from tries import tries

MANY = 30
MIB = 2**20


def resumed_is(forks, folder: Path, expected: dict) -> None:
    forks.run("train", "--resume", folder).well()
    assert_same(results(folder), expected)
    assert not parts_left(folder)


# ------------------------------------------------------------------------------------------------------------- memory


def limited(forks, pixels, run, home: Path, n: int) -> str:
    forks.run("--version").well()
    has = int(Path(f"/proc/{forks.pid}/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    expected, named, crashed = results(run), 0, 0
    for number in range(n):
        most = has + (20 + 280 * number // n) * MIB
        words = ["train", pixels, *SETTINGS, "--output", home / str(number), "--name", "x"]
        end = forks.start(*words, limits={"memory_bytes": most}, stuck_s=50).lives_for(60)
        assert end is not None, f"it hangs with {most - has:,} bytes more"
        crashed += end.code < 0  # libraries dereference what they did not get: nothing that Python can catch
        assert end.code <= 0 or end.is_named(), end.text
        named += end.code > 0
        all_whole(home / str(number))
        if (home / str(number) / "x" / "run.yaml").exists():
            resumed_is(forks, home / str(number) / "x", expected)
    return (
        f"{n} limits of memory, {named} too low by name, {crashed} crashes of libraries: all resumed to the same bits"
    )


@pytest.mark.slow
@pytest.mark.campaign
def test_too_little_memory_is_named(forks, pixels, run, tmp_path):
    print(limited(forks, pixels, run, tmp_path, tries(MANY)))


# ---------------------------------------------------------------------------------------------------------- processes


def children(fork: Fork) -> list[int]:
    return [*map(int, Path(f"/proc/{fork.pid}/task/{fork.pid}/children").read_text().split())]


def bereft(forks, pixels, run, home: Path, n: int) -> str:
    expected, named = results(run), 0
    for number in range(n):
        rng, folder = random.Random(number), home / str(number) / "x"
        fork = forks.start("train", pixels, *SETTINGS, "--workers", 2, "--output", folder.parent, "--name", "x")
        end, victim = None, 0
        while end is None and not victim:
            end = fork.lives_for(rng.uniform(0.005, 0.3))
            if end is None and folder.exists():
                victim = rng.choice(children(fork) or [0])
        if victim:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, 9)
        end = end or fork.ended(60)
        assert end.code == 0 or end.is_named(), end.text
        named += end.code != 0 and "--resume" in end.text
        resumed_is(forks, folder, expected)
    return f"{n} loading processes killed, {named} stopped the training: each named, and resumed to the same bits"


@pytest.mark.slow
def test_a_killed_loading_process_is_named(forks, pixels, run, tmp_path):
    bereft(forks, pixels, run, tmp_path, 2)


@pytest.mark.slow
@pytest.mark.campaign
def test_killed_loading_processes_are_named(forks, pixels, run, tmp_path):
    print(bereft(forks, pixels, run, tmp_path, tries(MANY)))


def test_a_run_has_one_process_that_trains_it(forks, pixels, run, tmp_path):
    first = forks.start("train", pixels, *SETTINGS, "--output", tmp_path, "--name", "x")
    while first.lives_for(0.01) is None and not (tmp_path / "x" / "state" / "last.json").exists():
        pass
    second = forks.run("train", "--resume", tmp_path / "x")
    third = forks.start("train", pixels, *SETTINGS, "--output", tmp_path, "--name", "x")
    ended = first.ended().well()
    assert second.code == 0 or (second.is_named() and "another process goes on with" in second.text), ended.text
    third.ended().well()
    for name in ("x", "x-2"):
        assert_same(results(tmp_path / name), results(run))


@pytest.mark.slow
@pytest.mark.campaign
@pytest.mark.parametrize("verb", MANY_RUNS)
def test_two_commands_for_one_folder_end_with_one_table(forks, pixels, tmp_path, verb):
    (tmp_path / "kernels.yaml").write_text(STUDY)
    question = [tmp_path / "kernels.yaml"] if verb == "study" else []
    words = [verb, *question, pixels, *MANY_RUNS[verb].split(), "--output", tmp_path]
    forks.run(*words, "--name", "whole").well()
    first = forks.start(*words, "--name", "x")
    while first.lives_for(0.05) is None and not any((tmp_path / "x").glob("*.db")):
        pass
    second = forks.run(verb, "--resume", tmp_path / "x")
    assert second.code == 0 or (second.is_named() and "another process goes on with" in second.text), second.text
    first.ended().well()
    if verb != "pick":  # whose plan depends on measured times
        assert found(verb, tmp_path / "x") == found(verb, tmp_path / "whole")


# ----------------------------------------------------------------------------------------------------------- pictures


@pytest.mark.slow
@pytest.mark.campaign
@pytest.mark.parametrize("how", ["removed", "changed"])
@pytest.mark.parametrize("workers", [(), ("--workers", 2)])
def test_a_picture_that_goes_while_it_is_needed_changes_no_number(forks, pixels, run, tmp_path, how, workers):
    """Small pictures are in memory once they are checked; a resumed run reads them again, and stops."""
    n, named, expected = tries(10), 0, results(run)
    for number in range(n):
        rng, root = random.Random(number), tmp_path / str(number) / "pixels"
        shutil.copytree(pixels, root)
        fork = forks.start("train", root, *SETTINGS, *workers, "--output", root.parent, "--name", "x")
        time.sleep(rng.uniform(0, 1.5))
        victim, data = root / "red" / "03.png", (pixels / "red" / "03.png").read_bytes()
        victim.unlink() if how == "removed" else victim.write_bytes((pixels / "blue" / "04.png").read_bytes())
        end = fork.ended()
        assert end.code == 0 or end.is_named(), end.text
        named += end.code != 0
        if (root.parent / "x" / "run.yaml").exists():
            again = forks.run("train", "--resume", root.parent / "x")
            assert again.is_named(), again.text
            assert "red/03.png" in again.text
            victim.write_bytes(data)
            resumed_is(forks, root.parent / "x", expected)
    print(f"{n} pictures {how}, {named} before they were read: each named, and resumed to the same bits")


# -------------------------------------------------------------------------------------------------------------- clocks


@pytest.mark.slow
@pytest.mark.campaign
def test_a_clock_that_jumps_changes_no_bit(forks, pixels, run, tmp_path):
    """`time.time` goes a day forth and back at random."""
    n = tries(10)
    for number in range(n):
        words = ["train", pixels, *SETTINGS, "--output", tmp_path / str(number), "--name", "x"]
        forks.run(*words, clock=number).well()
        assert_same(results(tmp_path / str(number) / "x"), results(run))
    print(f"{n} trainings under a clock that jumps: the same bits")


@contextlib.contextmanager
def jumping_clock(file: Path, rng: random.Random) -> Iterator[dict[str, str]]:
    """The environment of a process whose clock jumps by up to ten days, ten times a second, for every library in it."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    if library is None:
        pytest.skip("needs libfaketime (in Debian: faketime)")
    ended = threading.Event()

    def jump() -> None:
        while not ended.wait(0.1):
            write_whole(file, f"{rng.uniform(-864_000, 864_000):+.3f}".encode())

    write_whole(file, b"+0")
    thread = threading.Thread(target=jump)
    thread.start()
    try:
        # the monotonic clock of a kernel never jumps
        yield {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
    finally:
        ended.set()
        thread.join()


@pytest.mark.slow
@pytest.mark.campaign
def test_a_clock_that_jumps_for_all_libraries_changes_no_bit(pixels, run, tmp_path):
    n, expected = tries(10), results(run)
    for number in range(n):
        with jumping_clock(tmp_path / "clock", random.Random(number)) as env:
            assert_same(fresh(pixels, tmp_path / str(number), env=env), expected)
    print(f"{n} trainings under libfaketime's clock that jumps: the same bits")


# ------------------------------------------------------------------------------------------------------------- network


class Unreliable(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, in the way that the server says."""

    def log_message(self, *args: object) -> None:
        """Nothing."""

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        how, path = self.server.how, Path(self.server.folder) / Path(self.path).name
        self.server.asked += 1
        if how == "fails" or (how == "fails twice" and self.server.asked <= 2):
            self.send_error(500)
            return
        if how == "silent":
            time.sleep(600)
        data = path.read_bytes() if path.is_file() else b""
        if not data:
            self.send_error(404)
            return
        self.send_response(200)
        length = len(data) + (1000 if how == "says more" else -1000 if how == "says less" else 0)
        if how != "says nothing":
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if not body:
            return
        data = data[: len(data) // 2] if how == "cuts" else data
        for begin in range(0, len(data), 4096):
            self.wfile.write(data[begin : begin + 4096])
            if how == "slow":
                time.sleep(0.05)


@contextlib.contextmanager
def serving(folder: Path, how: str) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Unreliable)
    server.how, server.folder, server.asked, server.daemon_threads = how, folder, 0, True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.slow
@pytest.mark.parametrize(
    "how", ["well", "slow", "fails twice", "says nothing", "fails", "cuts", "says more", "says less", "silent"]
)
def test_a_network_that_fails_slows_or_lies_is_read_rightly_or_named(forks, pixels, tmp_path, how):
    pytest.importorskip("aiohttp")
    forks.run("shard", pixels, tmp_path / "shards").well()
    shard = next((tmp_path / "shards").glob("train*.tar"))
    env = {"GLOCAL_CACHE": str(tmp_path / "cache")}
    with serving(tmp_path / "shards", how) as url:
        end = forks.start("check", f"{url}/{shard.name}", "--json", env=env, stuck_s=190).lives_for(200)
    assert end is not None, "it does not end"
    if how in ("well", "slow", "fails twice", "says nothing"):
        assert end.code == 0, end.text
    else:
        assert end.is_named() or '"ok": false' in end.text, end.text
