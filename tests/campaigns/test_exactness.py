"""The same seed gives the same bits: in fresh processes, under any seed of hashes, with any number of loading workers."""

import random
import subprocess
import sys

import pytest

from campaigns.conftest import SETTINGS
from campaigns.test_kills import assert_same, results
from killing import ENV
from tries import tries

MANY = 20
WAYS = (
    {"PYTHONHASHSEED": "0"},
    {"PYTHONHASHSEED": "1"},
    {"PYTHONHASHSEED": "4294967295"},
    {"TZ": "Pacific/Chatham", "LC_ALL": "C"},
    {"PYTHONOPTIMIZE": "1"},
    {"PYTHONDEVMODE": "0", "PYTHONUTF8": "1"},
)


def fresh(source, output, *more, env):
    """A training in a process that was started for it alone."""
    command = [sys.executable, "-m", "glocal", "train", source, *SETTINGS, *more, "--output", output, "--name", "x"]
    done = subprocess.run([*map(str, command)], env={**ENV, **env}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return results(output / "x")


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_loading_workers_changes_no_bit(forks, pixels, run, tmp_path, workers):
    forks.run("train", pixels, *SETTINGS, "--workers", workers, "--output", tmp_path, "--name", "x").well()
    assert_same(results(tmp_path / "x"), results(run))


@pytest.mark.slow
@pytest.mark.campaign
def test_fresh_processes_of_any_hash_seed_and_number_of_workers_give_the_same_bits(pixels, run, tmp_path):
    expected, rng = results(run), random.Random(0)
    n = tries(MANY)
    for number in range(n):
        env = WAYS[number] if number < len(WAYS) else {"PYTHONHASHSEED": str(rng.randrange(2**32))}
        workers = ("--workers", rng.choice((0, 1, 2, 3))) if number % 2 else ()
        assert_same(fresh(pixels, tmp_path / str(number), *workers, env=env), expected)
    print(f"{n} of {n} fresh processes gave the same bits")


@pytest.mark.slow
@pytest.mark.campaign
def test_shards_of_any_size_give_the_same_bits_as_one_another(forks, pixels, tmp_path):
    found = []
    for size in (0.01, 0.02, 10):
        out = tmp_path / f"shards-{size}"
        forks.run("shard", pixels, out, "--size-mb", size).well()
        forks.run("train", out, *SETTINGS, "--output", tmp_path, "--name", f"run-{size}").well()
        found.append(results(tmp_path / f"run-{size}")["weights"])
    for weights in found[1:]:
        for which, tensors in weights.items():
            assert {key: t.numpy().tobytes() for key, t in tensors.items()} == {
                key: t.numpy().tobytes() for key, t in found[0][which].items()
            }
