"""A study trains its arms alike, keeps what each says of every picture, and gives the same verdicts however it is run."""

import csv
import json
import re
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from pyarrow import parquet

import glocal
from glocal.artifacts.run_folder import RunFolder
from glocal.comparing import run_study
from glocal.comparing.arms import build_arms, training_subset
from glocal.comparing.result import arm_result
from glocal.comparing.run_study import resume_study, study
from glocal.comparing.runs import compare_runs
from glocal.comparing.statistics.compare import compare
from glocal.comparing.study import Arm, Evaluation, Pretraining, Study
from glocal.data import check
from glocal.errors import ComparisonError
from glocal.reporting.studies.page import write_study_page
from glocal.weights.files import read

MIXER = "convmixer_16_2_p2_k{}_32"
RECIPE = {"img_size": 16, "epochs": 1, "batch_size": 16, "warmup_epochs": 0, "crop": "none"}
KERNELS = Study(
    "kernels",
    "Is a larger kernel better?",
    (
        Arm("k3", MIXER.format(3), printed=90.0),
        Arm("k5", MIXER.format(5), printed=91.5),
        Arm("k5, blurred", MIXER.format(5), evaluation=Evaluation(corruption="gaussian_noise")),
    ),
    baseline="k3",
    recipe="small",
    settings=RECIPE,
)


def run(shades, output, asked=KERNELS, **more):
    return study(shades, asked, **{"scale": "paper", "output": output, "workers": 1, "val_fraction": 0.25, **more})


@pytest.fixture(scope="module")
def done(shades, tmp_path_factory):
    return run(shades, tmp_path_factory.mktemp("studies"))


def facts(result):
    return [(arm.name, arm.accuracies) for arm in result.arms], [verdict.to_json() for verdict in result.verdicts]


def test_every_arm_has_three_seeds_and_a_verdict_against_the_baseline(done):
    assert [len(arm.accuracies) for arm in done.arms] == [3, 3, 3]
    assert [(v.arm, v.baseline) for v in done.verdicts] == [("k5", "k3"), ("k5, blurred", "k3")]
    assert done.printed_difference(done.verdicts[0]) == pytest.approx(1.5)
    assert done.printed_difference(done.verdicts[1]) is None
    assert done.pictures == 20


def test_arms_that_are_only_evaluated_otherwise_are_trained_once(done):
    assert len(list((done.folder / "trials").iterdir())) == 2


def test_the_files_hold_everything_to_do_the_statistics_again(done):
    found = json.loads((done.folder / "study.json").read_text())
    rows = list(csv.DictReader((done.folder / "study.csv").read_text().splitlines()))
    assert [arm["name"] for arm in found["arms"]] == [arm.name for arm in done.arms]
    assert len(rows) == 9
    table = parquet.read_table(done.folder / "predictions.parquet").to_pydict()
    right = {
        arm: np.array(
            [
                [
                    t == p
                    for a, s, t, p in zip(*(table[c] for c in ("arm", "seed", "truth", "predicted")), strict=True)
                    if (a, s) == (arm, seed)
                ]
                for seed in range(3)
            ]
        )
        for arm in ("k3", "k5")
    }
    assert right["k5"].shape == (3, 20)
    assert right["k5"].mean(1).tolist() == pytest.approx(list(done.arm("k5").accuracies))
    again = compare(right["k5"], right["k3"], arm="k5", baseline="k3")
    assert again.difference.mean == pytest.approx(done.verdict("k5").difference.mean)


def test_an_arm_has_the_bits_of_a_run_of_the_same_settings(done, shades, tmp_path):
    folder = next(path for path in (done.folder / "trials").iterdir() if path.name.startswith("k5"))
    theirs = folder / "seed-0" / "run"
    alone = glocal.train(
        shades,
        recipe="small",
        **RECIPE,
        model=str(theirs / "architecture.yaml"),
        seed=0,
        val_fraction=0.25,
        output=tmp_path,
    )
    one, two = (read(run / "weights" / "last.safetensors").tensors for run in (theirs, alone.folder))
    assert all(bool((one[key] == two[key]).all()) for key in one)


@pytest.mark.slow
def test_two_workers_give_the_same_table(done, shades, tmp_path):
    assert facts(run(shades, tmp_path, workers=2)) == facts(done)


def test_seeds_are_added_to_what_is_undecided_by_looks_that_were_planned(done, tmp_path, monkeypatch):
    monkeypatch.setattr(
        run_study, "_worth_more", lambda verdict: verdict.arm == "k5"
    )  # on 20 pictures seeds decide nothing
    folder = shutil.copytree(done.folder, tmp_path / done.folder.name)
    longer = resume_study(folder, seeds=5)
    assert [arm.accuracies[:3] for arm in longer.arms] == [arm.accuracies for arm in done.arms]
    assert [len(arm.accuracies) for arm in longer.arms] == [5, 5, 5]
    before, after = done.verdict("k5"), longer.verdict("k5")
    assert (before.difference.seeds, after.difference.seeds) == (3, 5)
    assert before.level == after.level  # each of four looks, which were planned before the first
    with pytest.raises(ComparisonError, match=r"looks after \(3, 5, 8, 12\) seeds"):
        resume_study(folder, seeds=4)


def test_no_seeds_are_added_where_the_level_is_spent(shades, tmp_path):
    fixed = run(shades, tmp_path, seeds=1)
    with pytest.raises(ComparisonError, match="was started with --seeds 1, and its level is shared"):
        resume_study(fixed.folder, seeds=5)


def test_a_study_that_was_cut_goes_on_to_the_same_table(done, tmp_path):
    """Trials that are finished stay; one that lost its folder's end is trained on, and the table says what it said."""
    copy = shutil.copytree(done.folder, tmp_path / done.folder.name)
    for name in ("study.json", "study.csv", "predictions.parquet"):
        (copy / name).unlink()
    assert facts(resume_study(copy)) == facts(done)
    assert (copy / "study.json").is_file()


def test_an_arm_that_diverges_has_no_verdict_and_says_why_and_ends_the_study_for_no_other(shades, tmp_path):
    """Its learning rate is the reason."""
    wild = Arm("wild", MIXER.format(5), settings={"lr": 1e30, "clip_grad": None, "opt": "sgd"})
    found = run(shades, tmp_path, replace(KERNELS, arms=(*KERNELS.arms[:2], wild)), open_test=True)
    assert [len(arm.accuracies) for arm in found.arms] == [3, 3, 0]
    assert [verdict.arm for verdict in found.verdicts] == ["k5"]
    assert found.rows()[2]["verdict"] == "diverged"
    (note,) = (note for note in found.notes if note.startswith("wild diverged, so no verdict speaks of it."))
    assert "seed 0: the loss is" in note
    assert not [*found.folder.glob("trials/wild*/seed-1")], "it is not trained with other seeds"
    assert facts(resume_study(found.folder)) == facts(found)
    assert found.test_means.keys() == {"k3", "k5"}
    assert "wild diverged" in write_study_page(found.folder).read_text()


def test_of_an_arm_that_diverges_with_its_second_seed_the_first_does_not_count():
    arm = SimpleNamespace(name="k3", cost=SimpleNamespace(params=1, macs=2), arm=SimpleNamespace(printed=None))
    good = {"arms": {"k3": {"accuracy": 0.5}}, "time_s": 1.0}
    row = arm_result(arm, [good, {"accuracy": 0.0, "failure": "the loss is nan"}])
    assert (row.accuracies, row.failure) == ((), "seed 1: the loss is nan")
    assert arm_result(arm, [good]).accuracies == (0.5,)


@pytest.mark.slow
def test_more_seeds_are_added_where_an_answer_is_open(shades, tmp_path):
    found = run(shades, tmp_path, KERNELS.with_arms(["k3", "k5"]), seeds=5)
    seeds = len(found.arm("k5").accuracies)
    decided = found.verdicts[0].decided
    assert seeds == 5 or decided or not found.verdicts[0].more.seeds


def test_one_seed_speaks_of_runs(shades, tmp_path):
    found = run(shades, tmp_path, KERNELS.with_arms(["k3", "k5"]), seeds=1)
    assert "Seeds were not varied" in found.verdicts[0].sentence


def test_a_test_split_is_opened_on_request_and_counted(shades, tmp_path):
    found = run(shades, tmp_path, KERNELS.with_arms(["k3", "k5"]), seeds=1, open_test=True)
    assert found.test_opened == 1
    assert [len(arm.test_accuracies) for arm in found.arms] == [1, 1]
    assert len((found.folder / "tests.csv").read_text().splitlines()) == 2


@pytest.mark.slow
def test_a_first_stage_on_other_pictures_starts_the_second(shades, colours, tmp_path):
    arm = Arm("transfer", MIXER.format(3), pretraining=Pretraining({"epochs": 1, "img_size": 24}))
    asked = Study(
        "transfer", "Does it help?", (Arm("scratch", MIXER.format(3)), arm), "scratch", recipe="small", settings=RECIPE
    )
    found = run(shades, tmp_path, asked, seeds=1, pretrain_on=str(colours))
    (first,) = found.folder.rglob("pretraining/weights/last.safetensors")
    (second,) = found.folder.glob("trials/transfer-*/seed-0/run")
    sizes = [RunFolder(run).architecture().image.h for run in (first.parent.parent, second)]
    assert sizes == [24, 16], "each stage has the network for its picture size"
    with pytest.raises(ComparisonError, match="name them: --pretrain-on"):
        run(shades, tmp_path, asked, seeds=1)


def test_the_page_says_all_of_it_and_needs_no_network(done):
    page = write_study_page(done.folder).read_text()
    assert done.verdicts[0].sentence in page
    assert "<script" not in page
    assert not re.search(r"(src|href)=\"http", page)
    assert page.count("<svg") == 1, "curves need two epochs"
    with pytest.raises(ComparisonError, match=r"no study\.json"):
        write_study_page(done.folder / "trials")


def test_a_result_is_a_data_frame_and_a_table_for_notebooks(done):
    frame = done.to_pandas()
    assert frame.loc["k5", "compared_with"] == "k3"
    assert "&lt;" not in done._repr_html_()
    assert "k5, blurred" in done._repr_html_()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"budget_s": 0.01},
            r"too short for 3 seeds of 2 trainings: .* one epoch of k\d and k\d alone could be compared",
        ),
        ({"scale": "huge"}, "--scale"),
        ({"img_size": 1}, "arm k3"),
    ],
)
def test_what_cannot_be_is_said_before_the_first_training(shades, tmp_path, changes, said):
    with pytest.raises(glocal.errors.GlocalError, match=said):
        run(shades, tmp_path, **changes)
    assert not list(tmp_path.rglob("trials"))


def test_a_class_without_held_out_pictures_is_named_in_the_result_and_one_without_training_pictures_refused(
    shades, tmp_path
):
    pictures = shutil.copytree(shades, tmp_path / "pictures")
    (pictures / "test").rename(pictures / "val")
    shutil.copytree(pictures / "train" / "dark", pictures / "train" / "third")
    found = run(pictures, tmp_path, KERNELS.with_arms(["k3", "k5"]), seeds=1, val_fraction=None)
    assert "third: no pictures in val, which so says nothing about this class" in found.notes
    (pictures / "train" / "third").rename(pictures / "val" / "third")
    with pytest.raises(glocal.errors.DataError, match="third: a class of val that train does not have"):
        run(pictures, tmp_path, KERNELS.with_arms(["k3", "k5"]), seeds=1, val_fraction=None)


def test_two_arms_of_the_same_network_are_named(shades, tmp_path):
    same = KERNELS.but(arms=(Arm("a", MIXER.format(3)), Arm("b", MIXER.format(3))), baseline="a")
    with pytest.raises(ComparisonError, match="the arms a and b are the same network"):
        run(shades, tmp_path, same)


def test_studies_of_one_name_and_storage_share_no_trials(shades, tmp_path):
    both = KERNELS.with_arms(["k3", "k5"])
    for i in range(2):
        found = run(shades, tmp_path / str(i), both, seeds=1, storage=str(tmp_path / "trials.db"), name="mine")
        assert len(list((found.folder / "trials").glob("*/seed-0/run/weights/best*"))) == 2
        assert facts(resume_study(found.folder)) == facts(found)


def test_trials_of_another_study_are_refused(shades, tmp_path):
    found = run(shades, tmp_path, KERNELS.with_arms(["k3", "k5"]), seeds=1)
    text = (found.folder / "run.yaml").read_text()
    (found.folder / "run.yaml").write_text(text.replace("scale: paper", "scale: tiny"))
    with pytest.raises(glocal.errors.GlocalError, match="of other trials"):
        resume_study(found.folder)


def test_a_study_whose_table_of_trials_is_gone_has_no_page(done, tmp_path):
    folder = shutil.copytree(done.folder, tmp_path / "copy")
    (folder / "study.csv").unlink()
    with pytest.raises(ComparisonError, match="the results are damaged"):
        write_study_page(folder)


def test_the_test_split_is_opened_once_however_often_a_study_is_resumed(shades, tmp_path):
    found = run(shades, tmp_path, KERNELS.with_arms(["k3", "k5"]), seeds=1, open_test=True)
    again = resume_study(found.folder)
    assert (found.test_opened, again.test_opened) == (1, 1)
    assert [arm.test_accuracies for arm in again.arms] == [arm.test_accuracies for arm in found.arms]


@pytest.mark.parametrize("file", ["run.yaml", "study.json", "spent.json"])
@pytest.mark.parametrize("text", ["{}", "[]", "1", '{"spent_s": NaN}'])
def test_a_damaged_file_is_named(done, tmp_path, file, text):
    folder = shutil.copytree(done.folder, tmp_path / "copy")
    (folder / file).write_text(text)
    with pytest.raises(glocal.errors.GlocalError, match=str(folder)):
        write_study_page(folder) if file == "study.json" else resume_study(folder)


def test_smaller_training_sets_are_nested_and_balanced(shades):
    data = check(shades, val_fraction=0.25).require_data()
    small, large = (training_subset(data, per_class=n, share=1.0).train for n in (4, 9))
    assert set(small.paths) < set(large.paths)
    assert np.bincount(small.labels).tolist() == [4, 4]
    assert len(training_subset(data, per_class=None, share=0.5).train) == len(data.train) // 2
    with pytest.raises(ComparisonError, match="share 0"):
        training_subset(data, per_class=None, share=0)


def test_arms_are_built_at_a_scale_for_the_classes_of_the_data(shades):
    data = check(shades, val_fraction=0.25).require_data()
    tiny = build_arms(KERNELS, data, scale="tiny")
    paper = build_arms(KERNELS, data, scale="paper")
    assert tiny[0].cost.macs < paper[0].cost.macs
    assert tiny[0].architecture.head[-1].width == 2


def test_two_runs_are_compared_on_the_same_pictures_alone(shades, tmp_path):
    settings = {"recipe": "small", **RECIPE, "model": MIXER.format(3), "output": tmp_path}
    one, two = (glocal.train(shades, **settings, lr=lr, val_fraction=0.25) for lr in (1e-3, 2e-3))
    other = glocal.train(shades, **settings, val_fraction=0.5)
    verdict = compare_runs(one.folder, two.folder)
    assert not verdict.difference.seeds_varied
    assert "Seeds were not varied" in str(verdict)
    with pytest.raises(ComparisonError, match="on the same pictures only"):
        compare_runs(one.folder, other.folder)
