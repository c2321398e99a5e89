"""No fault of pictures on a disk passes in silence: it is named by its path, handled by a stated rule, or stops the command."""

import contextlib
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import glocal as package
from glocal.data import decode
from torture.catalogue import FOLDERS, FORMS
from torture.conftest import Glocal
from torture.planting import Fault, picture, save
from torture.rights import powerless

RUN = Path("runs/train/run")


@pytest.fixture(params=[*FOLDERS, *FORMS], ids=str)
def fault(request: pytest.FixtureRequest) -> Fault:
    return request.param


def bound(fault: Fault) -> contextlib.AbstractContextManager[None]:
    return powerless() if fault.powerless else contextlib.nullcontext()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow's own words, on standard error
def test_a_fault_is_told_and_no_number_is_wrong(fault: Fault, glocal: Glocal, train: Glocal, tmp_path: Path):
    root = tmp_path / "data"
    root.mkdir()
    try:
        shown = fault.plant(root)
    except ModuleNotFoundError as error:
        pytest.skip(f"planting it needs {error.name}")
    if fault.probe and shown is not None:
        seen = decode(root / fault.probe).astype(int)
        assert seen.shape == shown.shape
        assert np.abs(seen - shown.astype(int)).mean() < 6  # of 255; what JPEG costs a small picture
    with bound(fault):
        source = str(root / fault.source)
        checked, trained = glocal("check", source, "--faults", 999), train(source)
    for told in (checked, trained):
        assert "Traceback" not in told.words
        assert told.code == (3 if fault.verdict == "stopped" else 0), told.words
    assert re.search(fault.says, checked.words), checked.words
    if fault.verdict == "stopped":
        assert re.search(fault.says, trained.words), trained.words
        assert not list(tmp_path.rglob("*.safetensors"))
        return
    assert re.search(fault.says, trained.words + said_in_data_json() + checked.out), trained.words
    if fault.counts:
        assert used() == fault.counts
    if fault in FOLDERS:
        assert_top1_is_what_predict_says(root, trained.out)


def said_in_data_json() -> str:
    """The faults that a run kept, one a line."""
    return "\n".join(f"{fault['path']}: {fault['reason']}" for fault in manifest()["faults"])


def manifest() -> dict:
    return json.loads((RUN / "data.json").read_text())


def used() -> dict[str, dict[str, int]]:
    """Pictures that a run used, of each class of each split."""
    known = manifest()
    return {
        split: dict(Counter(known["classes"][label] for _, label, *_ in rows)) for split, rows in known["rows"].items()
    }


def assert_top1_is_what_predict_says(root: Path, told: str) -> None:
    """The accuracy printed is the share of validation pictures whose own folder is the first answer."""
    known = manifest()
    rows = known["rows"]["val"]
    answers = package.predict(RUN, [root / path for path, *_ in rows])
    right = [p.predicted[0] == known["classes"][row[1]] for p, row in zip(answers, rows, strict=True)]
    assert f"top-1 {np.mean(right):.2%}" in told
    assert f"{len(rows)} pictures" in told


def test_where_crops_are_not_looked_for_it_is_said(glocal: Glocal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for i in range(4):
        for pet in ("cat", "dog"):
            save(tmp_path, f"data/{pet}/{i}.png", picture(f"{pet}{i}", (64, 64)))
    assert "not looked for" not in glocal("check", tmp_path / "data").out
    for module in ("audit", "duplicates"):
        monkeypatch.setattr(f"glocal.data.checks.{module}.MOST_FOR_CROPS", 7)
    assert (
        "among more than 7 pictures those that are cropped from others are not looked for"
        in glocal("check", tmp_path / "data").out
    )
