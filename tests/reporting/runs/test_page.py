"""The report of a run: self-contained, whole or not, with the run's own numbers, and nothing of the user's runs in it."""

import base64
import csv
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from glocal.artifacts.run_folder import RunFolder
from glocal.cli.app import load_verb
from glocal.cli.runs.page import write_page, write_page_with_maps
from glocal.errors import DataError, RunError
from glocal.evaluation.predictions import Predictions
from glocal.reporting.runs.figures import accuracy_svg, loss_svg, reliability_svg
from glocal.reporting.runs.files import RunFiles
from glocal.reporting.runs.page import write_run_page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page(HTMLParser):
    """What a browser shows, the pictures, and what it would fetch."""

    def __init__(self, path):
        super().__init__()
        self.html = path.read_text(encoding="utf-8")
        self.shown, self.images, self.fetched, self.tags, self._inside = "", [], [], set(), []
        self.feed(self.html)
        self.shown = " ".join(self.shown.split())

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.add(tag)
        self._inside.append(tag)
        self.images += [attributes["src"]] if tag == "img" else []
        self.fetched += [attributes[name] for name in ("src", "href", "data", "action") if name in attributes]

    def handle_endtag(self, tag):
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data):
        if not self._inside or self._inside[-1] != "style":
            self.shown += data + " "


@pytest.fixture(scope="module")
def page(finished, tmp_path_factory):
    folder = shutil.copytree(finished, tmp_path_factory.mktemp("module") / "colours")
    return Page(write_page(folder))


@pytest.fixture(scope="module")
def found(finished):
    run = RunFolder.find(finished)
    predictions = Predictions.read(finished / "predictions.csv", run.manifest().classes)
    assert predictions.most_wrong(1)
    return predictions


def test_it_needs_no_network_and_no_script(page):
    assert [place for place in page.fetched if not place.startswith("data:")] == []
    assert "script" not in page.tags
    assert not re.search(r"@import|url\(", page.html)
    assert "default-src 'none'" in page.html


def test_the_result_and_its_interval_are_those_of_the_run(page, finished, found):
    n, right = len(found.truth), int((found.truth == found.predicted).sum())
    assert f"Top-1 accuracy {right / n:.2%} on {n} validation pictures (95 % interval" in page.shown
    with (finished / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    best = max(range(len(rows)), key=lambda i: float(rows[i]["val_top1"]))
    assert f"in epoch {best + 1} of {len(rows)}" in page.shown


def test_every_class_has_a_row_with_its_pictures_the_worst_first(page, finished):
    files = RunFiles.find(finished)
    assert {row.name for row in files.per_class} == {"blue", "green", "<b>red<_b>"}
    assert sum(row.trained for row in files.per_class) == files.split_sizes["train"]
    assert sum(row.n for row in files.per_class) == files.split_sizes["val"]
    assert [row.f1 for row in files.per_class] == sorted(row.f1 for row in files.per_class)
    assert "<b>red<_b>" in page.shown


def test_the_most_confident_mistakes_are_shown(page, found, mine):
    assert len(page.images) == min(24, int((found.truth != found.predicted).sum()))
    assert all(image.startswith("data:image/png;base64,") for image in page.images)
    for i in found.most_wrong(3):
        assert found.paths[i] in page.shown


def test_heat_maps_stand_beside_them(mine, found):
    shapes = []

    def explain(pixels):
        shapes.append(pixels.shape)
        return b"png"

    grey = np.zeros((20, 24, 1), np.uint8)
    page = Page(write_run_page(mine, pixels=lambda path: grey, explain=explain))
    wrong = min(24, int((found.truth != found.predicted).sum()))
    assert shapes == [(20, 24, 3)] * wrong
    assert page.images.count("data:image/png;base64,cG5n") == wrong


def test_a_page_without_heat_maps_says_how_to_get_them(page):
    assert "glocal report" in page.shown


def test_each_mistake_has_the_heat_map_of_the_runs_own_network_and_the_line_of_its_checks(mine, found):
    path, about = write_page_with_maps(mine)
    page, wrong = Page(path), found.most_wrong(24)
    assert about[0].startswith(("Heat maps: Grad-CAM for the predicted class, read at ", "Heat maps: occlusion"))
    assert about[1].startswith("Their checks: ")
    assert all(" ".join(sentence.split()) in page.shown for sentence in about)
    assert len(page.images) == 2 * len(wrong)
    for image in page.images:
        shown = Image.open(BytesIO(base64.b64decode(image.partition(",")[2])))
        assert shown.size == (24, 20), "of the picture's own size"
    assert len(set(page.images[1::2])) == len(set(page.images[::2])), "a map of its own for each picture"


@pytest.mark.parametrize("missing", ["pictures", "captum", "weights", "predictions"])
def test_where_there_can_be_no_heat_maps_a_line_says_why(mine, monkeypatch, missing):
    if missing == "pictures":
        monkeypatch.setattr("glocal.cli.runs.page._pixels", lambda run: None)
    elif missing == "captum":
        monkeypatch.setitem(sys.modules, "captum", None)
    elif missing == "weights":
        shutil.rmtree(mine / "weights")
    else:
        (mine / "predictions.csv").unlink()
    path, (sentence,) = write_page_with_maps(mine)
    expected = {
        "pictures": "cannot be read",
        "captum": "pip install",
        "weights": "weights",
        "predictions": "at the end of a run",
    }
    assert sentence.startswith("No heat maps: ")
    assert expected[missing] in sentence
    if missing != "predictions":
        assert " ".join(sentence.split()) in Page(path).shown


def test_pictures_that_have_gone_are_named_with_the_reason(mine, found):
    def gone(path):
        raise DataError(f"{path}: there is no such file")

    page = Page(write_run_page(mine, pixels=gone))
    assert page.images == []
    assert f"{found.paths[found.most_wrong(1)[0]]}: there is no such file" in page.shown
    assert Page(write_run_page(mine)).images == []


def test_faults_and_duplicates_are_listed(page):
    assert "duplicate" in page.shown
    assert "again.png" in page.shown


def test_text_of_users_is_shown_and_not_run(page):
    assert "--name '<script>'" in page.shown
    assert "<b>red" not in page.html


def test_the_next_commands_name_the_run(page):
    for line in ("glocal val", "glocal predict", "glocal serve", "glocal train --config"):
        assert line in page.shown
    assert "--split test" not in page.shown


def test_a_run_that_has_just_started_has_a_page(mine):
    for name in ("metrics.csv", "predictions.csv"):
        (mine / name).unlink()
    shutil.rmtree(mine / "weights")
    page = Page(write_page(mine))
    assert "No epoch has ended, so there is no result yet." in page.shown
    assert f"glocal train --resume {mine}" in page.shown


def test_openings_of_the_test_split_and_alerts_are_told(mine):
    (mine / "tests.csv").write_text("when,weights,source,top1,n\n2026-11-28T20:00:00,best,x,0.5,8\n")
    (mine / "warnings.csv").write_text("when,epoch,step,kind,text\nnow,0,3,loss,<i>high</i>\n")
    page = Page(write_page(mine))
    assert "Test split, opened the first time at 2026-11-28T20:00:00: top-1 50.00% of 8 pictures." in page.shown
    assert "step 3 loss <i>high</i>" in page.shown


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("run.yaml", "settings: [a"),
        ("data.json", "{"),
        ("metrics.csv", "epoch\n1\n"),
        ("predictions.csv", "path\nx\n"),
        ("weights/best.safetensors", "no tensors"),
        ("tests.csv", "when\nnow\n"),
    ],
)
def test_a_file_that_is_not_whole_is_an_error(mine, name, text):
    (mine / name).write_text(text)
    with pytest.raises(RunError):
        write_page(mine)


def test_a_folder_that_is_no_run_is_an_error(tmp_path):
    with pytest.raises(RunError, match=r"it has no run\.yaml"):
        write_run_page(tmp_path)


def test_figures_are_drawn_of_any_numbers_of_epochs():
    assert loss_svg([], []) == accuracy_svg([], 10) == reliability_svg([]) == ""
    for values in ([0.5], [0.1, 0.9], [0.5] * 400, [0.0, 0.0]):
        for svg in (loss_svg(values, [float("nan")] * len(values)), accuracy_svg(values, 10)):
            assert svg.startswith("<svg")
            assert "nan" not in svg


@pytest.mark.skipif(not CHROMIUM, reason="needs chromium")
def test_a_browser_shows_it_without_an_error(page, finished, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(page.html, encoding="utf-8")
    flags = (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        f"--user-data-dir={tmp_path / 'profile'}",
    )
    done = subprocess.run(
        [CHROMIUM, *flags, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=90, check=True
    )
    assert "CONSOLE" not in done.stderr
    assert done.stdout.count("<figure>") == len(page.images)
    assert "Learning curves" in done.stdout


def test_the_verb_prints_the_page_and_what_was_said_of_the_maps(mine, capsys):
    load_verb("report").main([str(mine)], standalone_mode=False)
    path, *about = capsys.readouterr().out.splitlines()
    assert path == str(mine / "report.html")
    assert about[0].startswith("Heat maps: ")
    assert about[1].startswith("Their checks: ")
    load_verb("report").main([str(mine), "--json"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out) == {"report": path, "plots": [], "heat_maps": about}
