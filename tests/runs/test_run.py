"""A finished run as a notebook shows it, and the commands that are printed after it."""

import shlex
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest

from glocal.families import architecture
from glocal.runs.run import Run

SCORES = SimpleNamespace(top1=0.93, interval=(0.9, 0.96), n=1200, majority=0.1)


class Text(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)

    def handle_data(self, data):
        self.text.append(data)


def run(folder):
    return Run(Path(folder), architecture("cct_2_3x2_32"), ("a", "b"), Path(folder) / "w.safetensors", 6, SCORES)


@pytest.mark.parametrize("folder", ["runs/train/x", "runs/<script>alert(1)</script> & 'x'"])
def test_a_notebook_shows_a_table_with_accuracy_folder_and_commands(folder):
    page = Text()
    page.feed(run(folder)._repr_html_())
    assert page.tags == {"table", "tr", "th", "td", "br", "code"}
    assert folder in page.text
    assert "93.00% (95 % interval 90.00% to 96.00%, n = 1,200)" in page.text
    assert "7" in page.text, "epochs are counted from 1"
    assert "against always the most frequent class, 10.00%: better" in page.text
    assert set(run(folder).next_commands) <= set(page.text)


def test_printed_commands_can_be_copied_whatever_the_folder_is_called():
    val, predict, board = map(shlex.split, run("my runs/it's -x").next_commands)
    assert val == ["glocal", "val", "my runs/it's -x"]
    assert predict[:3] == ["glocal", "predict", "my runs/it's -x"]
    assert board == ["tensorboard", "--logdir", "my runs/it's -x"]


@pytest.mark.parametrize(
    ("interval", "word"), [((0.5, 0.7), "worse"), ((0.5, 0.9), "cannot tell"), ((0.9, 0.95), "better")]
)
def test_the_result_is_compared_with_a_probe_by_their_intervals(interval, word):
    probe = SimpleNamespace(top1=0.8, interval=(0.75, 0.85))
    scores = SimpleNamespace(**{**vars(SCORES), "interval": interval})
    done = Run(Path("x"), architecture("cct_2_3x2_32"), ("a",), Path("w"), 0, scores, probe)
    assert done.comparison.endswith(f"before training, 80.00% (75.00% to 85.00%): {word}")
