"""Many runs at a time: each is a run like any other, is resumed, and ends in the same bits for any number of workers."""

import shutil
import time
from dataclasses import replace

import pytest
import torch

import glocal
from glocal.artifacts.run_folder import RunFolder
from glocal.data import check
from glocal.design import adapt, decide
from glocal.errors import Stopped, TrialError
from glocal.families.spaces import space
from glocal.machine.processes import Machine
from glocal.machine.signals import TIME_OVER
from glocal.recipes import recipe
from glocal.trials import training
from glocal.trials.training import Entry, Trained, finished, train_all, train_entry, train_entry_to
from glocal.weights.files import read
from landscape import DeadlyEntry

ANSWERS = {"first": (0, 0), "second": (1, 0)}
RECIPE = recipe("small").merged({"epochs": 1, "batch_size": 16, "warmup_epochs": 0, "img_size": 16})


@pytest.fixture(scope="module")
def data(shades):
    return check(shades, seed=0, val_fraction=0.25).require_data()


def entries(folder, data, **changes) -> list[Entry]:
    machine, networks = Machine(torch.device("cpu")), space("glit_cifar_12_2_nlp")
    return [
        Entry.of(
            folder / name,
            adapt(decide(networks, answers), classes=2, size=16, drop_path=0.0),
            RECIPE.merged(changes),
            data=data,
            machine=machine,
            origin="test",
        )
        for name, answers in ANSWERS.items()
    ]


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory) -> list[Trained]:
    return train_all(entries(tmp_path_factory.mktemp("runs"), data), threads=1)


def bits(one: Trained) -> dict:
    return read(one.folder / "weights" / "best.safetensors").tensors


def same(a: Trained, b: Trained) -> bool:
    return all(torch.equal(tensor, bits(b)[name]) for name, tensor in bits(a).items()) and a.val == b.val


def test_each_is_a_run_that_can_be_evaluated(trained):
    for one in trained:
        assert glocal.evaluate(one.folder).top1 == one.val.top1
    assert not same(*trained)


def test_a_finished_run_is_read_and_not_trained_again(trained, data, monkeypatch):
    monkeypatch.setattr(training, "start_run", None)
    monkeypatch.setattr(training, "resume", None)
    reported = []
    again = train_all(
        entries(trained[0].folder.parent, data), threads=1, workers=2, on_trained=lambda *it: reported.append(it)
    )
    assert again == trained
    assert reported == []
    assert train_entry(entries(trained[0].folder.parent, data)[1]) == trained[1]


@pytest.mark.slow
def test_several_workers_end_in_the_same_bits(trained, data, tmp_path):
    reported = []
    several = train_all(
        entries(tmp_path, data), workers=2, threads=1, on_trained=lambda entry, one: reported.append(one.folder.name)
    )
    assert sorted(reported) == ["first", "second"]
    assert all(same(a, b) for a, b in zip(several, trained, strict=True))


def test_a_run_that_was_stopped_is_resumed_and_one_that_never_started_starts(trained, data, tmp_path):
    first, second = entries(tmp_path, data)
    shutil.copytree(trained[0].folder, first.folder)
    (first.folder / "metrics.csv").unlink()  # as if it had been killed before it was written
    second.folder.mkdir()
    (second.folder / "architecture.yaml").write_text("half of")
    assert finished(first.folder, first.record.recipe) is None
    one, other = train_all([first, second], threads=1)
    assert one.val == trained[0].val
    assert same(other, trained[1])


def test_a_run_of_another_length_is_not_finished(trained):
    folder = trained[0].folder
    assert finished(folder, RECIPE) == replace(trained[0])
    assert finished(folder, RECIPE.merged({"epochs": 2})) is None
    assert finished(folder / "nowhere", RECIPE) is None


@pytest.mark.slow
def test_a_process_that_dies_is_an_error_that_names_its_folder(tmp_path):
    with pytest.raises(TrialError, match=r"a process that trained one of \S*/a, \S*/b died"):
        train_all([DeadlyEntry(tmp_path / "a"), DeadlyEntry(tmp_path / "b")], workers=2, threads=1)


def parts_of(entry, *epochs):
    """Trains to each of these epochs, one call after the other; returns the epochs that were reported."""
    seen = []
    for until in epochs:
        train_entry_to(entry, epochs=until, on_epoch=lambda epoch, scores: seen.append((epoch, scores.top1)))
    return seen


def last(entry):
    return read(entry.folder / "weights" / "last.safetensors").tensors


def test_a_training_in_parts_has_the_bits_of_one_without_a_break(data, tmp_path):
    whole, parts = (entries(tmp_path / name, data, epochs=3)[0] for name in ("whole", "parts"))
    train_entry(whole)
    seen = parts_of(parts, 1, 2, 2, 3)
    assert [epoch for epoch, _ in seen] == [1, 2, 3]
    assert [top1 for _, top1 in seen] == [row["val_top1"] for row in RunFolder(parts.folder).metrics()]
    assert all(torch.equal(tensor, last(parts)[name]) for name, tensor in last(whole).items())


def test_a_part_stops_within_the_schedule_of_the_whole(data, tmp_path):
    entry = entries(tmp_path, data, epochs=4)[0]
    parts_of(entry, 1)
    rates = [row["lr"] for row in RunFolder(entry.folder).metrics()]
    assert len(rates) == 1
    assert rates[0] > 0.5 * RECIPE.lr  # a schedule of one epoch would have ended at 0
    assert finished(entry.folder, entry.record.recipe) is None


def test_the_end_of_its_time_stops_a_training_with_its_state_saved(data, tmp_path):
    whole, stopped = (entries(tmp_path / name, data, epochs=2)[0] for name in ("whole", "stopped"))
    train_entry(whole)
    with pytest.raises(Stopped) as error:
        train_entry_to(stopped, epochs=2, on_epoch=lambda epoch, scores: None, ends_at=time.time())
    assert error.value.number == TIME_OVER
    assert RunFolder(stopped.folder).state.exists()
    parts_of(stopped, 2)
    assert all(torch.equal(tensor, last(stopped)[name]) for name, tensor in last(whole).items())
