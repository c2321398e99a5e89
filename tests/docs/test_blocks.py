"""Every command and Python block of the README and of docs/ runs, in order, in a folder with small pictures."""

import shutil
from pathlib import Path
from unittest import mock

import pytest

from docs import foreign
from docs.blocks import Block, blocks
from docs.exclusions import reason_not_to_run, shortened, with_additions
from docs.running import run_page
from docs.world import make
from glocal.cli.app import VERBS
from glocal.recipes.optimizers import OPTIMIZERS

ROOT = Path(__file__).parents[2]
HISTORY = {"log.md"}
"""Not run: it says what was tried, with the commands of its day."""
PAGES = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(page for page in (ROOT / "docs").glob("*.md") if page.name not in HISTORY),
)
SEARCHED = "runs/search/NAME"
SLOW = {
    "CONTRIBUTING.md",
    "README.md",
    "convnext.md",
    "explain.md",
    "fuse.md",
    "pick.md",
    "search.md",
    "rank.md",
    "seeing.md",
    "timm.md",
    "training.md",
    "transfer.md",
    "tutorial.md",
}
"""Pages that take more than ten seconds: they train, search, or load large networks."""


def marked(page: Path) -> object:
    return pytest.param(page, id=page.name, marks=pytest.mark.slow if page.name in SLOW else ())


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    return make(tmp_path_factory.mktemp("world"), search=False)


@pytest.fixture(scope="session")
def searched_world(tmp_path_factory):
    return make(tmp_path_factory.mktemp("searched"), search=True)


@pytest.mark.parametrize("page", [marked(page) for page in PAGES if blocks(page)])
def test_a_page_does_what_it_says(page, request, tmp_path, monkeypatch):
    source = request.getfixturevalue("searched_world" if SEARCHED in page.read_text(encoding="utf-8") else "world")
    folder = tmp_path / "folder"
    shutil.copytree(source, folder, symlinks=True)
    foreign.write(page.name, folder)
    monkeypatch.syspath_prepend(folder)
    with mock.patch.dict(VERBS), mock.patch.dict(OPTIMIZERS):  # CONTRIBUTING.md adds to them
        run_page(blocks(page), folder)


def test_blocks_are_found_fenced_and_indented(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "Text.\n\n    glocal check a \\\n        --json   # why\n    pip install .\n\n"
        "- item\n\n    glocal no\n\nText\n```python\nprint(1)\n```\n"
        '```yaml title="a.yaml"\nb: 1\n```\n```console\n$ glocal models\noutput\n```\n```\nglocal show x\n```\n```\noutput\n```\n'
    )
    found = [(block.line, block.kind, block.text) for block in blocks(page)]
    assert found == [
        (3, "command", "glocal check a     --json   # why"),
        (5, "command", "pip install ."),
        (13, "python", "print(1)\n"),
        (16, "file", "b: 1\n"),
        (19, "command", "glocal models"),
        (23, "command", "glocal show x"),
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("import glocal\nglocal.nothing()\n", "page.md:8: AttributeError"),
        ("print(2)  # 3, the answer\n", "page.md:7 prints '2', not '3, the answer'"),
    ],
)
def test_python_that_fails_or_prints_another_thing_is_named_by_its_line(tmp_path, text, fault):
    with pytest.raises(AssertionError, match=fault.replace("'", ".")):
        run_page([Block(tmp_path / "page.md", 7, "python", text)], tmp_path)


def test_a_command_that_ends_otherwise_than_the_page_says_is_named(tmp_path):
    page = tmp_path / "page.md"
    run_page([Block(page, 3, "command", "glocal check nowhere   # exit code 3")], tmp_path)
    with pytest.raises(AssertionError, match=r"page.md:3: glocal check nowhere ended with 3"):
        run_page([Block(page, 3, "command", "glocal check nowhere")], tmp_path)


def test_what_is_left_out_has_a_reason():
    assert reason_not_to_run("torchrun --nproc_per_node 2 -m glocal train DATA").startswith("several processes")
    assert reason_not_to_run("glocal train DATA --weights timm:resnet50").startswith("downloads")
    assert reason_not_to_run("glocal train DATA  # or --weights timm:resnet50") is None
    assert reason_not_to_run("import timm\nmodel = timm.create_model('resnet50')") is None


def test_commands_are_shortened_only_where_they_take_long():
    assert shortened("glocal train p --epochs 300 --lr 1") == "glocal train p --epochs 1 --lr 1"
    assert with_additions(["glocal", "train", "p"]) == ["glocal", "train", "p", "--epochs", "1"]
    assert with_additions(["glocal", "train", "p", "--epochs", "1"]) == ["glocal", "train", "p", "--epochs", "1"]
    assert with_additions(["glocal", "check", "p"]) == ["glocal", "check", "p"]
