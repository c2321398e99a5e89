"""Runs that an earlier glocal wrote are evaluated, predicted with and resumed; those of another format are refused by name."""

import csv
import json
import shutil
import zlib
from pathlib import Path

import pytest

import glocal
from glocal.errors import WeightError
from glocal.files import read_yaml, write_yaml
from glocal.net.saving.tensor_files import read_safetensors, write_safetensors
from glocal.runs.resume import resume
from glocal.training.state_files import read_numbers

EARLIER = Path(__file__).parent / "earlier"


@pytest.fixture
def earlier(tmp_path):
    """Copies of the runs, which know where their pictures are now."""
    for name in ("finished", "stopped"):
        shutil.copytree(EARLIER / name, tmp_path / name)
        values = read_yaml(tmp_path / name / "run.yaml")
        values["data"]["source"] = str(EARLIER / "pictures")
        write_yaml(tmp_path / name / "run.yaml", values)
    return tmp_path


def metrics(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return [*csv.DictReader(file)]


def test_a_finished_run_is_evaluated_and_predicts(earlier):
    best = max(float(row["val_top1"]) for row in metrics(earlier / "finished"))
    assert glocal.evaluate(earlier / "finished").top1 == pytest.approx(best)
    (found,) = glocal.predict(earlier / "finished", [EARLIER / "pictures" / "blue" / "00.png"])
    assert sum(found.probabilities.values()) == pytest.approx(1, abs=1e-5)


def test_a_stopped_run_resumes_to_what_the_finished_one_is(earlier):
    """Of another processor the last bits may differ."""
    assert len(metrics(earlier / "stopped")) < len(metrics(earlier / "finished"))
    resume(earlier / "stopped")
    for ours, theirs in zip(metrics(earlier / "stopped"), metrics(earlier / "finished"), strict=True):
        assert float(ours["val_loss"]) == pytest.approx(float(theirs["val_loss"]), rel=1e-3)


def test_a_state_of_another_format_is_refused_by_name(earlier):
    path = earlier / "stopped" / "state" / "last.json"
    saved = {key: value for key, value in json.loads(path.read_text()).items() if key != "checksum"}
    assert read_numbers(path)["format"] == 1
    other = {**saved, "format": 2}
    path.write_text(json.dumps({**other, "checksum": zlib.crc32(json.dumps(other).encode())}))
    with pytest.raises(WeightError, match=r"is a state of format 2, .* reads format 1; resume the run with"):
        resume(earlier / "stopped")


def test_weights_of_another_format_are_refused_by_name(earlier):
    path = earlier / "finished" / "weights" / "best.safetensors"
    tensors, meta = read_safetensors(path)
    write_safetensors(path, tensors, meta={**meta, "format": 99})
    with pytest.raises(WeightError, match="has format 99 and this glocal reads"):
        glocal.evaluate(earlier / "finished")
