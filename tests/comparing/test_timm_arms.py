"""Networks of timm as arms of studies: trained to the bits of a run alone, resumed, in the table."""

import pytest
import timm
import torch

import glocal
from glocal.comparing.arms import build_arms
from glocal.comparing.run_study import resume_study, study
from glocal.comparing.study import Arm, Study
from glocal.comparing.study_text import dump_study, load_study, study_from
from glocal.data import check
from glocal.errors import ComparisonError
from glocal.training.state import State
from glocal.weights.files import read

NAME = "test_vit2"
RECIPE = {"img_size": 32, "epochs": 1, "batch_size": 16, "warmup_epochs": 0, "crop": "none"}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(5)
    path = tmp_path_factory.mktemp("weights") / "theirs.pth"
    torch.save(timm.create_model(NAME).state_dict(), path)
    return path


def asked(weights):
    arms = (
        Arm("scratch", f"timm:{NAME}"),
        Arm("pretrained", f"timm:{NAME}@{weights}"),
        Arm("ours", "convmixer_16_2_p2_k3_32"),
    )
    return Study("timms", "Does it help?", arms, "scratch", recipe="small", settings=RECIPE)


def run(shades, output, what, **more):
    return study(
        shades, what, **{"scale": "paper", "output": output, "workers": 1, "val_fraction": 0.25, "seeds": 1, **more}
    )


def trained(folder, arm):
    (found,) = (path for path in (folder / "trials").iterdir() if path.name.startswith(arm))
    return found / "seed-0" / "run"


class Killed(Exception):  # noqa: N818
    pass


@pytest.mark.slow
def test_arms_of_timm_are_in_the_table_with_the_bits_of_a_run_also_after_a_kill(shades, tmp_path, weights, monkeypatch):
    save, seen = State.save, []

    def deadly(self, path, machine):
        save(self, path, machine)
        seen.append(self.step)
        if len(seen) == 2:
            raise Killed

    monkeypatch.setattr(State, "save", deadly)
    with pytest.raises(Exception, match=r"pretrained|Killed"):
        run(shades, tmp_path, asked(weights), name="x")
    monkeypatch.undo()
    found = resume_study(tmp_path / "x")
    assert [len(arm.accuracies) for arm in found.arms] == [1, 1, 1]
    scratch, pretrained = found.arm("scratch"), found.arm("pretrained")
    assert scratch.params == pretrained.params > 0
    assert scratch.macs == pretrained.macs > 0
    for arm, model in (("scratch", f"timm:{NAME}"), ("pretrained", f"timm:{NAME}@{weights}")):
        alone = glocal.train(
            shades, recipe="small", **RECIPE, model=model, seed=0, val_fraction=0.25, output=tmp_path / arm
        )
        one = read(trained(found.folder, arm) / "weights" / "last.safetensors").tensors
        two = read(alone.folder / "weights" / "last.safetensors").tensors
        assert all(torch.equal(one[key], two[key]) for key in two)


def test_a_study_written_by_hand_names_a_file_beside_it(tmp_path, weights):
    (tmp_path / "theirs.pth").write_bytes(weights.read_bytes())
    path = tmp_path / "mine.yaml"
    path.write_text(f"arms:\n  ours: cct_2_3x2_32\n  theirs: timm:{NAME}@theirs.pth\n")
    found = load_study(path)
    assert found.arm("theirs").model == f"timm:{NAME}@{tmp_path / 'theirs.pth'}"
    assert study_from(dump_study(found), where="again") == found


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("timm:test_vit22", "did you mean"),
        (f"timm:{NAME}@nowhere.pth", "no such file of weights"),
        ("timm:MlpMixer[x]", "is no argument"),
        ("timm:MlpMixer[pretrained=true]", "weights come from a file"),
    ],
)
def test_an_arm_that_timm_does_not_have_is_one_line(tmp_path, model, said):
    path = tmp_path / "mine.yaml"
    path.write_text(f"arms:\n  ours: cct_2_3x2_32\n  theirs: {model}\n")
    with pytest.raises(ComparisonError, match=rf"mine\.yaml, arm theirs, model: .*{said}") as error:
        load_study(path)
    assert "\n" not in str(error.value)


def test_an_arm_that_cannot_be_built_is_named(shades):
    data = check(shades, val_fraction=0.25).require_data()
    cannot = Study(
        "s", "?", (Arm("a", f"timm:{NAME}"), Arm("b", "timm:levit_128s[distillation=1]")), "a", settings=RECIPE
    )
    with pytest.raises(ComparisonError, match=r"s, arm b: .* cannot be built by timm"):
        build_arms(cannot, data)
    same = Study("s", "?", (Arm("a", f"timm:{NAME}"), Arm("b", f"timm:{NAME}")), "a", settings=RECIPE)
    with pytest.raises(ComparisonError, match="the arms a and b are the same network"):
        build_arms(same, data)


def test_an_arm_reads_pictures_as_its_weights_expect_them_unless_it_says_otherwise(shades, weights):
    data = check(shades, val_fraction=0.25).require_data()
    scratch, pretrained, _ = build_arms(asked(weights), data)
    assert pretrained.recipe.mean == (0.5, 0.5, 0.5) != scratch.recipe.mean
    assert pretrained.recipe.weights == f"timm:{NAME}@{weights}"
    arm = Arm("own", f"timm:{NAME}@{weights}", settings={"mean": (0.1, 0.1, 0.1), "std": (1.0, 1.0, 1.0)})
    own = build_arms(asked(weights).but(arms=(arm, Arm("scratch", f"timm:{NAME}"))), data)[0]
    assert own.recipe.mean == (0.1, 0.1, 0.1)
