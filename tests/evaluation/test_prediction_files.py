"""Predictions are written as they come, line by line, and nothing is overwritten unasked."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from glocal.errors import RecipeError, RunError
from glocal.evaluation.predict import Prediction
from glocal.evaluation.prediction_files import check_new_files, json_line, prediction_files

CLASSES = ("cat", 'a "b", c', "path")
SOME = (
    Prediction("x/1.jpg", ("cat",), dict(zip(CLASSES, (0.7, 0.25, 0.05), strict=True))),
    Prediction('odd, "2".jpg', (), dict(zip(CLASSES, (0.4, 0.35, 0.25), strict=True))),
    Prediction("3.jpg", error="3.jpg: zero bytes"),
    Prediction("\udce9.jpg", ("cat", "path"), dict(zip(CLASSES, (0.9, 1e-9, 0.8), strict=True))),
)


def test_a_table_and_lines_of_json_hold_every_prediction(tmp_path):
    with prediction_files(tmp_path / "p.csv", tmp_path / "p.jsonl", classes=CLASSES) as write:
        for each in SOME:
            write(each)
    with (tmp_path / "p.csv").open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "predicted", "confidence", "error", "p_cat", 'p_a "b", c', "p_path"]
    assert [row["path"] for row in rows] == [each.path for each in SOME]
    assert [row["predicted"] for row in rows] == ["cat", "", "", "cat|path"]
    assert [row["error"] for row in rows] == ["", "", "3.jpg: zero bytes", ""]
    assert [row["p_path"] for row in rows] == ["0.05", "0.25", "", "0.8"]
    lines = (tmp_path / "p.jsonl").read_bytes().decode().splitlines()
    assert [json.loads(line) for line in lines] == [each.to_json() for each in SOME]
    assert json.loads(json_line(SOME[3]))["path"] == "\udce9.jpg"


def test_each_line_is_in_the_file_before_the_next_is_made(tmp_path):
    with prediction_files(tmp_path / "p.csv", tmp_path / "p.jsonl", classes=CLASSES) as write:
        for i, each in enumerate(SOME):
            write(each)
            assert len((tmp_path / "p.csv").read_bytes().splitlines()) == i + 2
            assert len((tmp_path / "p.jsonl").read_bytes().splitlines()) == i + 1


def test_after_a_kill_a_file_holds_whole_lines(tmp_path):
    program = """
import os, signal, sys
from pathlib import Path
from glocal.evaluation.predict import Prediction
from glocal.evaluation.prediction_files import prediction_files
with prediction_files(Path(sys.argv[1]), None, classes=("cat",)) as write:
    for i in range(1000):
        write(Prediction(f"{i}.jpg", ("cat",), {"cat": 1.0}))
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "p.csv")], check=False, env=os.environ)
    assert done.returncode == -signal.SIGKILL
    lines = (tmp_path / "p.csv").read_text().split("\n")
    assert (len(lines), lines[-1], lines[-2]) == (1002, "", "999.jpg,cat,1,,1")


def test_what_exists_is_overwritten_only_when_asked(tmp_path):
    mine = tmp_path / "mine.csv"
    mine.write_text("mine")
    with pytest.raises(
        RecipeError, match=r"mine\.csv exists and is not overwritten; give another name, or --overwrite"
    ):
        check_new_files(mine, None, overwrite=False)
    check_new_files(mine, None, overwrite=True)
    assert mine.read_text() == "mine"
    for csv_file, jsonl_file, says in (
        (mine, mine, "both name"),
        (tmp_path, None, "is a folder"),
        (None, tmp_path / "no" / "p.jsonl", "there is no folder"),
    ):
        with pytest.raises(RecipeError, match=says):
            check_new_files(csv_file, jsonl_file, overwrite=True)


def test_a_file_that_cannot_be_written_is_named():
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    with (
        pytest.raises(RunError, match="/dev/full could not be written: No space left"),
        prediction_files(None, Path("/dev/full"), classes=CLASSES) as write,
    ):
        write(SOME[0])
