"""Signals at many moments, and kills of what writes or serves a model: each ends at once, and what was there is whole."""

import json
import random
import re
import shutil
import signal
import socket
import time
import urllib.request
from pathlib import Path

import pytest

from campaigns.conftest import SETTINGS, parts_left
from campaigns.forks import Ended, Fork, Forks
from campaigns.test_kills import all_whole, assert_same, killed, results, timed
from sampled import but_slow
from tries import tries

FEW, MANY = 3, 100


# --------------------------------------------------------------------------------------------------- signals of a training


def stopped(fork: Fork, numbers: list[int], rng: random.Random, seconds: float) -> Ended:
    """How a command ended that got signals at a random moment, one soon after the other."""
    if end := fork.lives_for(rng.uniform(0, seconds)):
        return end
    for number in numbers:
        fork.send(number)
        if end := fork.lives_for(rng.uniform(0, 0.02)):
            return end
    return fork.ended(60)


def signalled(forks: Forks, source: Path, home: Path, n: int, numbers: list[int]) -> str:
    def start(place, **how):
        return forks.start("train", source, *SETTINGS, "--output", place, "--name", "x", **how)

    seconds = timed(start(home / "whole"))
    expected, saved = results(home / "whole" / "x"), 0
    for number in range(n):
        rng, place = random.Random(number), home / str(number)
        end, folder = stopped(start(place), numbers, rng, seconds), place / "x"
        # 128 + its number where it was heard, or the signal itself before glocal listens and after it has finished
        assert end.code in (0, 128 + numbers[0], 130, -numbers[0]), end.text
        assert "Traceback" not in end.text, end.text
        all_whole(place)
        saved += "--resume" in end.text
        if not (folder / "run.yaml").exists():
            continue
        again = forks.run("train", "--resume", folder).well()
        assert "Traceback" not in again.text
        assert_same(results(folder), expected)
        assert not parts_left(place)
    return f"{n} of {n} stopped without a traceback and went on to the same bits; {saved} said how"


SIGNALS = {
    "SIGTERM": [signal.SIGTERM],
    "Ctrl-C": [signal.SIGINT],
    "Ctrl-C twice": [signal.SIGINT, signal.SIGINT],
}


@pytest.mark.parametrize("name", but_slow(SIGNALS, ["SIGTERM", "Ctrl-C"]))
def test_a_few_signals_stop_a_training_that_goes_on_to_the_same_bits(forks, pixels, tmp_path, name):
    signalled(forks, pixels, tmp_path, 1, SIGNALS[name])


@pytest.mark.slow
@pytest.mark.campaign
@pytest.mark.parametrize("name", SIGNALS)
def test_signals_stop_a_training_that_goes_on_to_the_same_bits(forks, pixels, tmp_path, name):
    print(f"train, {name}: {signalled(forks, pixels, tmp_path, tries(MANY), SIGNALS[name])}")


# ----------------------------------------------------------------------------------------------------------- export

EXPORT = ("--to", "torch", "--pictures", 12)


@pytest.mark.slow
@pytest.mark.campaign
def test_a_killed_export_leaves_no_file_or_a_whole_one(forks, run, tmp_path):
    def start(place, **how):
        return forks.start("export", run, *EXPORT, "--output", place, **how)

    seconds = timed(start(tmp_path / "whole"))
    files = {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir()}
    n, kills, none = tries(MANY), 0, 0
    for number in range(n):
        place = tmp_path / str(number)
        end = killed(lambda place=place, **how: start(place, **how), rng=random.Random(number), whole_s=seconds)
        kills += end.code == -9
        assert end.code in (0, -9), end.text
        there = {path.name: path.read_bytes() for path in place.glob("[!.]*")}
        assert there == {name: files[name] for name in there}
        if "model.pt2" in there:
            assert there == files
            again = forks.run("export", run, *EXPORT, "--output", place)
            assert again.is_named(), again.text
            assert "model.pt2 exists" in again.text
        else:
            none += 1
            forks.run("export", run, *EXPORT, "--output", place).well()
            assert {path.name: path.read_bytes() for path in place.iterdir()} == files
        shutil.rmtree(place)
    print(f"export: {n} of {n} with nothing or all of it after {kills} kills; {none} exported again, to the same bytes")


# ------------------------------------------------------------------------------------------------------------ serve


def answer(port: int, picture: bytes) -> dict | None:
    """What a server says of a picture; None where it is not there."""
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}/predict", picture, {"Content-Type": "image/png"}, method="POST"
    )
    try:
        with urllib.request.urlopen(asked, timeout=30) as got:
            return json.loads(got.read())["predictions"][0]
    except (OSError, ValueError, KeyError):
        return None


def listening(fork: Fork) -> int:
    """The port of a server, when it listens."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if found := re.search(r"http://\S+:(\d+) ", fork.text()):
            return int(found[1])
        assert fork.lives_for(0.01) is None, fork.text()
    raise AssertionError(fork.text())


def serve_and_kill(forks: Forks, run: Path, picture: Path, n: int) -> str:
    """Kills a server at a moment of its start or of its answers, n times; each time it comes back on its port as before."""
    data, rng = picture.read_bytes(), random.Random(0)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ("serve", run, "--port", port, "--device", "cpu")
    expected, answers = None, 0
    for _ in range(n):
        fork = forks.start(*words)
        if rng.random() < 0.3:
            assert fork.lives_for(rng.uniform(0, 1)) is None, fork.text()
        else:
            assert listening(fork) == port
            for _ in range(rng.randint(1, 5)):
                got = answer(port, data)
                expected = expected or got
                assert got is not None
                assert got["probabilities"] == expected["probabilities"]
                answers += 1
        fork.kill()
    fork = forks.start(*words)
    assert answer(listening(fork), data)["probabilities"] == expected["probabilities"]
    fork.send(signal.SIGTERM)
    assert fork.ended(60).code == 0
    return f"{n} of {n} came back on the same port with the same answers ({answers})"


def test_a_killed_server_comes_back_with_the_same_answers(forks, run, pixels):
    serve_and_kill(forks, run, pixels / "red" / "00.png", FEW)


@pytest.mark.slow
@pytest.mark.campaign
def test_a_server_that_is_killed_often_comes_back_with_the_same_answers(forks, run, pixels):
    print(f"serve: {serve_and_kill(forks, run, pixels / 'red' / '00.png', tries(MANY))}")
