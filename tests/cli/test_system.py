"""doctor, cache, --version and completion: what people ask of an installation."""

import json
import os
import subprocess
import sys
import time
from importlib import metadata

import pytest

import glocal as package
from glocal import caches


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """A folder of caches with two old files of weights and a fresh one."""
    monkeypatch.setenv("GLOCAL_CACHE", str(tmp_path / "caches"))
    folder = caches.cache_folder("weights")
    folder.mkdir(parents=True)
    for name, age_days in (("oldest", 9), ("old", 5), ("fresh", 0)):
        (folder / name).write_bytes(bytes(1000))
        then = time.time() - age_days * caches.DAY_S
        os.utime(folder / name, (then, then))
    return folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_cache_is_trimmed_from_the_file_that_was_not_used_for_longest(cached):
    assert caches.trim("weights", most_bytes=3000) == 0
    assert caches.trim("weights", most_bytes=2500) == 1000
    assert names(cached) == ["fresh", "old"]


def test_a_file_of_today_stays_however_full_the_cache_is(cached):
    assert caches.trim("weights", most_bytes=0) == 2000
    assert names(cached) == ["fresh"]


def test_the_verb_cache_counts_and_clears(glocal, cached):
    code, out, _ = glocal("cache", "weights", "--json")
    assert code == 0
    (row,) = json.loads(out)["caches"]
    assert (row["files"], row["bytes"], row["folder"]) == (3, 3000, str(cached))
    code, out, _ = glocal("cache", "weights", "--clear", "--json")
    assert json.loads(out)["freed_bytes"] == 3000
    assert names(cached) == []
    code, _, err = glocal("cache", "wieghts")
    assert code == 2
    assert "there are scans, weights, shards" in err


def test_doctor_names_versions_the_machine_and_what_is_missing(glocal):
    code, out, _ = glocal("doctor", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["packages"]["torch"] == metadata.version("torch")
    assert found["system"]["glocal"] == metadata.version("glocal")
    assert set(found["caches"]) == set(caches.CACHES)
    code, out, _ = glocal("doctor")
    assert all(line in out for line in ("system:", "packages:", "caches:", "not installed"))


def test_the_version_is_the_packages(glocal):
    code, out, _ = glocal("--version")
    assert (code, out) == (0, f"glocal {metadata.version('glocal')}\n")


@pytest.mark.parametrize(("typed", "expected"), [("glocal tr", "train"), ("glocal train --ep", "--epochs")])
def test_the_shell_completes_verbs_and_flags(typed, expected):
    words = {"_GLOCAL_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)}
    code = "from glocal.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **words},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert expected in done.stdout.split(), done.stderr


def test_quiet_leaves_the_result_alone(glocal, colours, tmp_path):
    words = ["train", colours, "--recipe", "small", "--model", "cct_2_3x2_32", "--epochs", 1, "--batch-size", 8]
    code, out, err = glocal(*words, "--output", tmp_path, "-q")
    assert code == 0, err
    assert "best epoch 1" in out
    assert "recipe " not in out


def test_verbose_shows_the_traceback_of_an_error(glocal, tmp_path):
    code, _, err = glocal("check", tmp_path / "nowhere", "-v")
    assert code == 3
    assert "Traceback" in err
    assert "Traceback" not in glocal("check", tmp_path / "nowhere")[2]


def test_push_writes_the_folder_of_the_hub_and_sends_nothing(glocal, colours, tmp_path):
    words = ["train", colours, "--recipe", "small", "--model", "cct_2_3x2_32", "--epochs", 1, "--batch-size", 8]
    assert glocal(*words, "--output", tmp_path / "runs", "--name", "r", "-q")[0] == 0
    code, out, err = glocal("push", tmp_path / "runs" / "r", "me/trees", "--dry-run", tmp_path / "hub", "--json")
    assert code == 0, err
    assert {path.rpartition("/")[2] for path in json.loads(out)["files"]} == {
        "config.json",
        "model.safetensors",
        "README.md",
    }
    assert package.create_model(str(tmp_path / "hub")).num_classes == 3
