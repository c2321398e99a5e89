"""A pick from pictures to a network: the race is run on real trainings, ends in a verdict, and goes on after any stop."""

import csv
import json
import shutil

import numpy as np
import pytest

import glocal
from glocal.artifacts.run_folder import RunFolder
from glocal.comparing.statistics.compare import compare
from glocal.comparing.trial import read_right
from glocal.data.options import DataOptions
from glocal.design import dump
from glocal.errors import ComparisonError, DivergedError, GlocalError, RunError, Stopped
from glocal.files import unique_name, write_yaml
from glocal.machine.signals import TIME_OVER
from glocal.picking.measuring.limits import Footprint
from glocal.picking.run_pick import pick, pick_request, resume_pick
from glocal.picking.settings import PickSettings
from glocal.picking.trial import Part
from glocal.reporting.picks.page import write_pick_page
from glocal.trials import coordinator, training
from glocal.trials.place import TrialPlace
from glocal.trials.training import train_entry_to
from glocal.weights import find_architecture

CANDIDATES = ",".join(f"convmixer_16_{depth}_p4_k{kernel}_32" for depth in (1, 2) for kernel in (3, 5))
RECIPE = {"img_size": 16, "batch_size": 16, "warmup_epochs": 0, "crop": "none"}
TASK = {"candidates": CANDIDATES, "epochs": 3, "seeds": 2, "finalists": 2, "margin": 20, "val_fraction": 0.25}


def run(source, output, **more):
    return pick(source, **{**TASK, **RECIPE, "workers": 1, "output": output, "budget_s": 3600, **more})


@pytest.fixture(scope="module")
def done(shades, tmp_path_factory):
    return run(shades, tmp_path_factory.mktemp("picks"), open_test=True)


def test_the_race_ends_in_finals_and_a_verdict(done):
    stages = [row.stage for row in done.rows]
    assert stages[0] == "picked"
    assert stages.count("finalist") == len(done.verdicts) == 1
    assert {len(row.accuracies) for row in done.rows[:2]} == {2}
    assert [row.epochs for row in done.rows[:2]] == [3, 3]
    assert all(row.epochs < 3 and row.reason for row in done.rows[2:])
    assert done.rows[0].mean == max(row.mean for row in done.rows[:2])


def test_the_verdict_is_that_of_the_predictions_in_the_folder(done):
    arms = [
        np.stack(
            [
                read_right(done.folder / "trials" / unique_name(row.name) / f"seed-{s}" / "epoch-0003.npz")
                for s in (0, 1)
            ]
        )
        for row in done.rows[:2]
    ]
    verdict = done.verdicts[0]
    again = compare(*arms, arm=done.pick, baseline=done.rows[1].name, margin=done.margin)
    assert (verdict.arm, verdict.interval) == (done.pick, again.interval)
    low, high = again.interval
    assert done.rows[1].interval == (-high, -low)


def test_every_candidate_says_what_it_cost_and_why_it_went(done):
    assert all(row.seconds > 0 and row.footprint.p50_ms > 0 and row.params and row.macs for row in done.rows)
    assert all(" points (" in row.reason for row in done.rows[2:])
    assert done.candidate(done.rows[3].name) is done.rows[3]
    with pytest.raises(ComparisonError, match="no candidate is called"):
        done.candidate("none")


def test_nothing_on_the_front_is_beaten_in_latency_and_accuracy(done):
    by_name = {row.name: row for row in done.rows}
    front = [by_name[name] for name in done.front]
    for row in done.rows:
        beaten = any(
            f.footprint.p50_ms <= row.footprint.p50_ms and f.difference >= row.difference for f in front if f is not row
        )
        assert (row in front) != beaten


def test_the_files_and_the_page_hold_what_was_found(done):
    found = json.loads((done.folder / "pick.json").read_text())
    rows = list(csv.DictReader((done.folder / "pick.csv").read_text().splitlines()))
    assert found["pick"] == done.pick
    assert [row["candidate"] for row in rows] == [row.name for row in done.rows] == list(done.to_pandas().index)
    page = write_pick_page(done.folder).read_text()
    assert all(row.name in page for row in done.rows)
    assert done.verdicts[0].sentence in page
    assert "<svg" in page
    assert "http" not in page.replace("http-equiv", "")
    assert done.pick in done._repr_html_()


def test_the_pick_can_be_used_and_the_test_split_was_opened_once(done, shades):
    assert glocal.evaluate(done.run).n == 20
    assert done.test_opened == 1
    assert [len(row.test_accuracies) for row in done.rows] == [2, 2, 0, 0]
    assert len(RunFolder(done.run).metrics()) == 3


def test_the_same_pictures_and_seed_give_every_candidate_the_same_split_and_order(done):
    settings = [
        (done.folder / "trials" / unique_name(row.name) / "seed-0" / "run" / "data.json").read_text()
        for row in done.rows
    ]
    assert len(set(settings)) == 1


def facts(result):
    return [(r.name, r.stage, r.accuracies, r.difference, r.interval, r.curve) for r in result.rows], result.pick


def copied(done, folder):
    """A pick as it is after its survey, when no training has started."""
    folder.mkdir()
    for name in ("run.yaml", "data.json", "candidates.json"):
        shutil.copy(done.folder / name, folder)
    plan = json.loads((done.folder / "plan.json").read_text())
    (folder / "plan.json").write_text(json.dumps({"plan": plan["plan"]}))
    return folder


@pytest.mark.slow
def test_a_pick_that_is_resumed_with_other_workers_gives_the_same_table(done, tmp_path):
    assert facts(resume_pick(copied(done, tmp_path / "again"), workers=2)) == facts(done)


def test_a_pick_that_a_signal_stops_between_trials_goes_on(done, tmp_path, monkeypatch):
    whole, calls = coordinator.Coordinator.run, []

    def stopped(self, trials):
        calls.append(len(trials))
        if len(calls) == 2:
            raise Stopped(15, "for a test")
        return whole(self, trials)

    folder = copied(done, tmp_path / "stopped")
    with monkeypatch.context() as patched:
        patched.setattr(coordinator.Coordinator, "run", stopped)
        with pytest.raises(Stopped):
            resume_pick(folder)
    assert facts(resume_pick(folder)) == facts(done)


def test_a_budget_that_ends_during_the_finals_says_what_was_left_out(done, tmp_path, monkeypatch):
    """The alarm comes in every training in full; the race has its epochs."""

    def stopped_in_finals(entry, *, epochs, on_epoch, ends_at):
        if epochs == 3:
            raise Stopped(TIME_OVER, "for a test")
        return train_entry_to(entry, epochs=epochs, on_epoch=on_epoch)

    monkeypatch.setattr(training, "train_entry_to", stopped_in_finals)
    found = resume_pick(copied(done, tmp_path / "late"))
    assert found.pick
    assert not found.verdicts
    assert "The budget allowed no of 2 seeds in full." in found.notes
    assert [row.reason for row in found.rows if row.stage == "finalist"] == [
        "the time ended before it was trained in full"
    ]


def failing(monkeypatch, *, when, error):
    """Trainings of which `when`(entry, epochs) is true end in an error."""

    def train(entry, *, epochs, **more):
        if when(entry, epochs):
            raise error
        return train_entry_to(entry, epochs=epochs, **more)

    monkeypatch.setattr(training, "train_entry_to", train)


def test_a_finalist_whose_training_fails_is_not_picked_and_says_so(done, tmp_path, monkeypatch):
    """The leader with its second seed; the time is not to blame."""
    leader = unique_name(done.pick)
    failing(
        monkeypatch,
        when=lambda entry, epochs: leader in str(entry.folder) and "seed-1" in str(entry.folder),
        error=DivergedError("the loss is nan"),
    )
    found = resume_pick(copied(done, tmp_path / "leader"))
    assert found.pick == done.rows[1].name
    assert len(found.rows[0].accuracies) == 2
    (failed,) = (row for row in found.rows if row.name == done.pick)
    assert failed.reason == "its training with seed 1 failed: the loss is nan"
    assert not failed.accuracies
    assert f"Not compared, for a training of theirs failed: {done.pick}." in found.notes
    assert not any("The budget allowed" in note for note in found.notes)


def test_a_full_disk_is_no_result_of_a_candidate(done, tmp_path, monkeypatch):
    """It ends the pick by name; the next session trains that candidate as the others."""
    leader, folder = unique_name(done.pick), copied(done, tmp_path / "full")
    with monkeypatch.context() as patch:
        error = RunError("state could not be written: No space left on device")
        failing(patch, when=lambda entry, epochs: leader in str(entry.folder) and epochs == 3, error=error)
        with pytest.raises(RunError, match="No space left"):
            resume_pick(folder)
    again = resume_pick(folder)
    assert (again.pick, [row.accuracies for row in again.rows]) == (done.pick, [row.accuracies for row in done.rows])


def test_where_all_trainings_fail_the_reason_is_told(done, tmp_path, monkeypatch):
    failing(monkeypatch, when=lambda entry, epochs: True, error=DivergedError("the loss is nan"))
    with pytest.raises(ComparisonError, match=r"no arm could be measured after 1 epochs; .* the loss is nan"):
        resume_pick(copied(done, tmp_path / "none"))
    failing(monkeypatch, when=lambda entry, epochs: epochs == 3, error=DivergedError("the loss is nan"))
    with pytest.raises(ComparisonError, match=r"every network that could be picked failed .* the loss is nan"):
        resume_pick(copied(done, tmp_path / "finals"))


def test_networks_of_similar_names_have_their_own_trainings(shades, tmp_path):
    candidates = []
    for name, kernel in (("犬", 3), ("猫", 5)):
        file = tmp_path / f"{name}.yaml"
        write_yaml(file, dump(find_architecture(f"convmixer_16_1_p4_k{kernel}_32")))
        candidates.append(str(file))
    found = run(shades, tmp_path, candidates=",".join(candidates), epochs=2, seeds=1)
    folders = {Part(row.name, 0, 0, 0).folder for row in found.rows}
    assert len(folders) == 2
    assert len(list((found.folder / "trials").iterdir())) == 2


def test_the_test_split_is_opened_once_however_often_a_pick_is_resumed(done):
    again = resume_pick(done.folder)
    assert again.test_opened == 1
    assert [row.test_accuracies for row in again.rows] == [row.test_accuracies for row in done.rows]


def test_picks_of_one_name_and_storage_share_no_trials(shades, tmp_path):
    found = [
        run(shades, tmp_path / str(i), epochs=1, seeds=1, storage=str(tmp_path / "trials.db"), name="mine")
        for i in range(2)
    ]
    assert all(RunFolder(each.run).metrics() for each in found)


@pytest.mark.parametrize("file", ["run.yaml", "candidates.json", "plan.json", "spent.json", "pick.json"])
@pytest.mark.parametrize("text", ["{}", "[]", "1", '{"spent_s": NaN}'])
def test_a_damaged_file_is_named(done, tmp_path, file, text):
    folder = tmp_path / "copy"
    folder.mkdir()
    for name in ("run.yaml", "data.json", "candidates.json", "plan.json", "spent.json", "pick.json"):
        shutil.copy(done.folder / name, folder)
    (folder / file).write_text(text)
    with pytest.raises(GlocalError, match=str(folder)):
        write_pick_page(folder) if file == "pick.json" else resume_pick(folder)


def measured(latency):
    return lambda candidates, device: {c.name: Footprint(latency(c), latency(c), 1000) for c in candidates}


def request(shades, tmp_path, latency, **limits):
    return pick_request(
        shades,
        settings=PickSettings(candidates=CANDIDATES, epochs=1, seeds=1, budget_s=3600, **limits),
        changes=RECIPE,
        place=TrialPlace(workers=1, output=tmp_path),
        options=DataOptions(val_fraction=0.25),
        measure=measured(latency),
    )


def test_the_deployed_latency_decides_who_races_and_the_pick_is_within_it(shades, tmp_path):
    found = request(shades, tmp_path, lambda c: 20.0 * int(c.name.split("_")[2]), max_latency_ms=30)
    refused = [row for row in found.rows if row.stage == "refused"]
    assert refused
    assert all("over --max-latency 30ms" in row.reason and row.footprint.p50_ms > 30 for row in refused)
    assert found.candidate(found.pick).footprint.p50_ms <= 30


def test_limits_that_leave_one_network_or_none_are_one_clear_line(shades, tmp_path):
    with pytest.raises(ComparisonError, match=r"no candidate is left, and a race needs two.*over --max-latency 1ms"):
        request(shades, tmp_path, lambda c: 10.0, max_latency_ms=1)
    with pytest.raises(ComparisonError, match=r"no candidate is left.*over --max-params 10"):
        request(shades, tmp_path, lambda c: 10.0, max_params=10)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"budget_s": 3}, "is too short"),
        ({"budget_s": -1}, "budget"),
        ({"candidates": "convmixer_16_1_p4_k3_32"}, "only convmixer_16_1_p4_k3_32 is left"),
        ({"level": 1.5}, "level"),
        ({"no_such": 1}, "no setting 'no_such'"),
        ({"recipe": "none"}, "none"),
        ({"weights_dir": "nowhere"}, "there is no such folder"),
    ],
)
def test_what_cannot_be_run_is_one_clear_line_before_any_training(shades, tmp_path, wrong, says):
    with pytest.raises(GlocalError, match=says) as error:
        run(shades, tmp_path, **wrong)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.glob("*/trials"))


def test_another_folder_is_no_pick(done, tmp_path):
    with pytest.raises(ComparisonError, match="is not the folder of a pick"):
        resume_pick(tmp_path)
    with pytest.raises(ComparisonError, match="is not the folder of a pick"):
        resume_pick(done.run)
    with pytest.raises(ComparisonError, match=r"has no pick.json"):
        write_pick_page(tmp_path)


def test_a_candidate_with_weights_is_probed_and_starts_from_them(done, shades, tmp_path):
    weights = tmp_path / "weights"
    weights.mkdir()
    shutil.copy(RunFolder(done.run).weights("best"), weights / f"{done.pick}.safetensors")
    found = run(shades, tmp_path, weights_dir=weights, epochs=1, seeds=1)
    probed = [row for row in found.rows if row.probe]
    assert [row.name for row in probed] == [done.pick]
    low, high = probed[0].probe.interval
    assert low <= probed[0].probe.top1 <= high
