"""glocal val, predict and probe as a user types them."""

import csv
import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from rich.console import Console

import glocal as package
from glocal.cli.runs import evaluate as module
from glocal.evaluation.per_class import ClassScores
from glocal.evaluation.scores import Scores

SETTINGS = {"model": "cct_2_3x2_32", "img_size": 16, "epochs": 2, "batch_size": 8}


@pytest.fixture(scope="module")
def trained(tmp_path_factory, shades):
    return package.train(shades, recipe="small", **SETTINGS, output=tmp_path_factory.mktemp("runs")).folder


@pytest.fixture
def run(trained, tmp_path):
    """A run's folder of this test alone."""
    return Path(shutil.copytree(trained, tmp_path / "x"))


def test_val_shows_classes_calibration_and_where_the_files_are(glocal, run):
    code, out, err = glocal("val", run)
    assert (code, err) == (0, "")
    assert "class, lowest F1 first" in out
    assert "95 % interval" in out
    assert "the best epoch was chosen on these pictures, so the accuracy is a little optimistic" in out
    assert "ECE" in out
    assert str(run / "evaluations" / "val") in out
    with (run / "evaluations" / "val" / "report.csv").open() as file:
        rows = list(csv.DictReader(file))
    told = json.loads(glocal("val", run, "--json")[1])
    assert told["report"] == str(run / "evaluations" / "val")
    assert [row["class"] for row in rows] == [row["class"] for row in told["per_class"]] == ["dark", "light"]
    assert [float(row["recall"]) for row in rows] == [row["recall"] for row in told["per_class"]]
    assert told["calibration"]["before"]["ece"] >= 0
    assert sum(row["n"] for row in told["calibration"]["before"]["bins"]) == told["n"]


def test_val_of_another_folder_has_files_of_its_own(glocal, run, shades, tmp_path):
    told = json.loads(glocal("val", run, shades / "test", "--json")[1])
    assert (told["split"], told["n"], told["trained"]) == ("all", 16, 0)
    assert told["report"] == str(run / "evaluations" / "test")
    code, _, _ = glocal("val", run / "weights" / "best.safetensors", shades / "test", "--output", tmp_path / "here")
    assert (code, (tmp_path / "here" / "report.csv").is_file()) == (0, True)


def test_weights_without_a_run_are_evaluated_without_files(glocal, run, shades, tmp_path):
    shutil.copy(run / "weights" / "best.safetensors", tmp_path / "w.safetensors")
    code, out, _ = glocal("val", tmp_path / "w.safetensors", shades / "test")
    assert (code, "report.csv" in out) == (0, False)
    code, _, err = glocal("val", tmp_path / "w.safetensors")
    assert (code, "name the pictures to evaluate on" in err) == (3, True)


def test_many_classes_are_shown_when_asked_for():
    table = tuple(ClassScores(f"class {i}", 10, 10, i % 10) for i in range(30))
    some = Scores(300, 1.0, 0.5, 0.9, 0.5, (0.4, 0.6), table, 0.1, None)
    console = Console(record=True, width=120, file=sys.stderr)
    module._print_classes(some, console, all_classes=False, written="x")
    module._print_classes(some, console, all_classes=True, written="x")
    few, _, many = console.export_text().partition("and 20 more with --all-classes or in report.csv")
    assert few.count("class ") == 10
    assert many.count("class ") == 30


def test_predict_writes_files_and_says_what_it_did(glocal, run, shades, tmp_path):
    code, out, err = glocal("predict", run, shades / "test", "--csv", "p.csv", "--jsonl", "p.jsonl")
    assert code == 0, err
    assert "16 pictures in" in out
    assert "written to p.csv and p.jsonl" in out
    rows = list(csv.DictReader(Path("p.csv").read_text().splitlines()))
    lines = [json.loads(line) for line in Path("p.jsonl").read_text().splitlines()]
    assert [row["path"] for row in rows] == [line["path"] for line in lines]
    assert [row["predicted"] for row in rows] == [line["predicted"][0] for line in lines]
    assert [float(row["p_dark"]) for row in rows] == [line["probabilities"]["dark"] for line in lines]
    code, _, err = glocal("predict", run, shades / "test", "--csv", "p.csv")
    assert (code, "p.csv exists and is not overwritten; give another name, or --overwrite" in err) == (2, True)
    assert glocal("predict", run, shades / "test" / "dark", "--csv", "p.csv", "--overwrite")[0] == 0
    assert len(Path("p.csv").read_text().splitlines()) == 9


def test_predict_reads_patterns_lists_and_standard_input(glocal, run, shades, tmp_path, monkeypatch):
    told = json.loads(glocal("predict", run, f"{shades}/test/*/0[0-2].png", "--json")[1])
    assert (told["pictures"], len(told["predictions"])) == (6, 6)
    (tmp_path / "list.txt").write_text("\n".join(p["path"] for p in told["predictions"]))
    assert json.loads(glocal("predict", run, "@list.txt", "--json")[1])["predictions"] == told["predictions"]
    with (tmp_path / "list.txt").open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert json.loads(glocal("predict", run, "-", "--json")[1])["predictions"] == told["predictions"]
    code, out, _ = glocal("predict", run, "*.nothing", "--json")
    assert (code, json.loads(out)["errors"]) == (1, 1)
    monkeypatch.setattr(sys, "stdin", iter(()))
    assert json.loads(glocal("predict", run, "-", "--json")[1])["predictions"] == []


def test_options_of_predict_that_would_have_no_effect_are_errors(glocal, run, shades):
    for words in (("--overwrite",), ("--top", 2, "--csv", "p.csv"), ("--top", 2, "--json")):
        code, _, err = glocal("predict", run, shades / "test", *words)
        assert (code, f"{words[0]} has no effect" in err) == (2, True)
    assert not Path("p.csv").exists()


def test_names_of_any_bytes_are_shown_on_one_line(glocal, run, shades, tmp_path):
    name = os.fsdecode(b"caf\xe9 \x1b[2Jnew\nline.png")
    shutil.copy(shades / "test" / "dark" / "00.png", tmp_path / name)
    (tmp_path / f"bad{name}").touch()
    code, out, err = glocal("predict", run, tmp_path / name, tmp_path / f"bad{name}", "--top", 1)
    assert code == 1
    assert out.splitlines()[1].endswith(r"caf\udce9 \x1b[2Jnew\nline.png")
    assert err.strip().endswith("zero bytes")
    assert len(err.splitlines()) == 1


def test_a_threshold_says_what_it_does_on_held_out_pictures(glocal, run, shades):
    code, out, _ = glocal("predict", run, shades / "test", "--threshold", "0.999999")
    assert code == 0
    assert "threshold 1.0000: of 16 held-out pictures" in out
    told = json.loads(glocal("predict", run, shades / "test", "--threshold", "60%", "--json")[1])
    open_ones = [p for p in told["predictions"] if not p["predicted"]]
    assert (len(open_ones), told["threshold"]) == (told["left_open"], 0.6)
    assert all(p["confidence"] < 0.6 for p in open_ones)
    assert told["held_out"]["n"] == 16
    last = run / "weights" / "last.safetensors"
    told = json.loads(glocal("predict", last, shades / "test", "--threshold", "0.6", "--json")[1])
    assert told["held_out"] is None
    code, _, err = glocal("predict", last, shades / "test", "--threshold", "auto:95%")
    assert (code, "no held-out predictions" in err) == (2, True)
    code, _, err = glocal("predict", run, shades / "test", "--threshold", "much")
    assert (code, "auto:95%" in err) == (2, True)


def test_a_probe_says_what_features_are_worth(glocal, run, shades):
    code, out, err = glocal("probe", run, shades, "--json")
    assert code == 0, err
    assert json.loads(out)["top1"] > 0.5
