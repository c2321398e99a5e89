"""Studies as text: a dozen lines are a study, every study comes back from its text, and bad text is one clear line."""

import json
import random
from dataclasses import replace

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from glocal.comparing.corruptions import CORRUPTIONS
from glocal.comparing.statistics.looks import Looks
from glocal.comparing.study import Arm, Evaluation, Pretraining, Study
from glocal.comparing.study_text import dump_study, load_study, study_from
from glocal.comparing.tables import STUDIES
from glocal.design import dump
from glocal.errors import ComparisonError
from glocal.families import architecture

MINE = """\
question: Is a convolutional tokenizer worth its cost on my pictures?
baseline: patches
margin: 1            # points of accuracy
settings: {epochs: 20, img_size: 32}
arms:
  patches: cvt_7_4_32
  tokenizer: cct_7_3x2_32
  wide steps:
    model: cct_7_3x2_32
    settings: {lr: 0.003, warmup_epochs: 4}
  half the pictures: {model: cct_7_3x2_32, share: 0.5, baseline: tokenizer}
"""


def load(text: str | bytes, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_study(path)


def test_a_dozen_lines_are_a_study(tmp_path):
    study = load(MINE, tmp_path)
    assert (study.name, study.baseline, study.margin) == ("mine", "patches", 0.01)
    assert study.settings == {"epochs": 20, "img_size": 32}
    assert study.arm("wide steps") == Arm("wide steps", "cct_7_3x2_32", settings={"lr": 0.003, "warmup_epochs": 4})
    assert [tuple(pair) for pair in study.pairs()] == [
        ("tokenizer", "patches"),
        ("wide steps", "patches"),
        ("half the pictures", "tokenizer"),
    ]


def test_the_shortest_study_names_two_networks(tmp_path):
    study = load("arms: {a: cct_2_3x2_32, b: cvt_2_4_32}", tmp_path)
    assert (study.baseline, study.question) == ("a", "Which is best: a, b?")


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_comes_back_from_its_own_text(name):
    text = json.dumps(dump_study(STUDIES[name]))  # which is YAML too, and sooner read
    assert study_from(json.loads(text), where=name) == STUDIES[name]


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1).filter(str.strip)
SETTINGS = st.fixed_dictionaries(
    {}, optional={"lr": st.floats(1e-5, 1), "scale": st.just((0.5, 1.0)), "clip_grad": st.none(), "opt": st.just("sgd")}
)
ARMS = st.builds(
    Arm,
    name=NAMES,
    model=st.sampled_from(["cct_2_3x2_32", "timm:resnet18", architecture("glit_tiny"), architecture("vit_rel")]),
    settings=SETTINGS,
    at=st.fixed_dictionaries({}, optional={"tiny": st.just("cvt_2_4_32"), "cifar": st.just(architecture("resnet50"))}),
    printed=st.none() | st.floats(0, 100),
    per_class=st.none() | st.integers(1, 10**6),
    share=st.floats(0.001, 1),
    length=st.floats(0.01, 100),
    evaluation=st.builds(
        Evaluation,
        img_size=st.none() | st.integers(1, 512),
        corruption=st.sampled_from([None, *CORRUPTIONS]),
        severity=st.integers(1, 5),
    ),
    pretraining=st.none() | st.builds(Pretraining, settings=SETTINGS),
    note=st.just("") | NAMES,
)


@settings(deadline=None, max_examples=25)
@given(
    arms=st.lists(ARMS, min_size=2, max_size=4, unique_by=lambda arm: arm.name),
    margin=st.integers(0, 5000),
    texts=st.lists(NAMES, min_size=2, max_size=2),
    looks=st.sampled_from([Looks(), Looks((2, 4)), Looks((3, 5), 0.9)]),
    comparisons=st.sampled_from(["baseline", "chain"]),
    own=st.booleans(),
)
def test_any_study_comes_back_from_its_own_text(arms, margin, texts, looks, comparisons, own):
    if own:
        arms[-1] = replace(arms[-1], baseline=arms[0].name)
    study = Study(
        texts[0],
        texts[1],
        tuple(arms),
        arms[0].name,
        margin=margin / 10_000,
        looks=looks,
        comparisons=comparisons,
        keeps=texts[1],
    )
    text = yaml.safe_dump(dump_study(study), sort_keys=False, allow_unicode=True)
    assert study_from(yaml.safe_load(text), where="text") == study


def test_an_architecture_lies_beside_the_study_or_in_it(tmp_path):
    arch = architecture("cct_2_3x2_32")
    (tmp_path / "found.yaml").write_text(yaml.safe_dump(dump(arch)))
    text = yaml.safe_dump({"arms": {"found": "found.yaml", "spelled out": dump(arch)}})
    study = load(text, tmp_path)
    assert study.arm("found").model == str(tmp_path / "found.yaml")
    assert study.arm("spelled out").model == arch


A = "a: cct_2_3x2_32"
BAD = {
    "": "it must hold fields such as",
    "arms": "it must hold fields such as",
    "arms: {}": "0 arm; a study compares two",
    "arms: [cct]": "arms: give each arm as a line",
    f"arms: {{{A}}}": "1 arm; a study compares two",
    f"arms: {{{A}, b: cct_2_3x2_33x}}": r"arm b, model: no architecture is called 'cct_2_3x2_33x'; did you mean",
    f"arms: {{{A}, b: {{modle: cvt_2_4_32}}}}": "arm b: there is no field 'modle'; did you mean 'model'",
    f"arms: {{{A}, b: {{share: 1}}}}": "arm b: the field 'model' is missing",
    f"arms: {{{A}, b: {{model: cvt_2_4_32, share: 2}}}}": "arm b, share: 2 is no number from 1e-09 to 1",
    f"arms: {{{A}, b: {{model: cvt_2_4_32, share: .nan}}}}": "arm b, share: nan is no number",
    f"arms: {{{A}, b: {{model: cvt_2_4_32, per_class: true}}}}": "arm b, per_class: True is no whole number",
    f"arms: {{{A}, b: {{model: cvt_2_4_32, settings: {{lrr: 1}}}}}}": "arm b, settings: there is no setting 'lrr'; did you mean",
    f"arms: {{{A}, b: {{model: cvt_2_4_32, settings: {{lr: -1}}}}}}": "arm b, settings: --lr -1: input should be greater than 0",
    f"arms: {{{A}, b: {{model: cvt_2_4_32, settings: {{lr: {{}}}}}}}}": "arm b, settings, lr: dict is no number and no text",
    f"arms: {{{A}, b: {{model: cvt_2_4_32, settings: {{seed: 3}}}}}}": "arm b, settings: seed cannot be set",
    f"arms: {{{A}, b: {{model: cvt_2_4_32, evaluation: {{corruption: fogg}}}}}}": "'fogg' is not possible; did you mean 'fog'",
    f"arms: {{{A}, b: {{model: cvt_2_4_32, evaluation: {{severity: 6}}}}}}": "6 is not possible; possible are 1, 2, 3, 4, 5",
    f"arms: {{{A}, b: {{model: cvt_2_4_32, pretraining: 3}}}}": "arm b, pretraining: 3 is no mapping",
    f"arms: {{{A}, b: {{model: cvt_2_4_32, pretraining: {{settings: {{epochs: 0}}}}}}}}": "arm b, pretraining: --epochs 0",
    f"arms: {{{A}, b: {{model: cvt_2_4_32, at: {{small: cvt_2_4_32}}}}}}": "at: 'small' is no scale; possible are paper, cifar",
    f"arms: {{{A}, b: {{model: {{Conv: 3}}}}}}": "arm b, model: ",
    f"arms: {{{A}, b: {{Architecture: {{name: x}}}}}}": "arm b, model",
    f"arms: {{{A}, b: {{model: cvt_2_4_32, baseline: c}}}}": "arm b: its baseline 'c' is no arm; arms: a, b",
    f"arms: {{{A}, 7: cvt_2_4_32}}": "an arm's name: 7 is no text; put it in quotes",
    f"arms: {{{A}, a: cvt_2_4_32}}": "'a' stands twice",
    f"arms: {{{A}, b: cvt_2_4_32}}\nbaseline: c": "the baseline 'c' is no arm; arms: a, b",
    f"arms: {{{A}, b: cvt_2_4_32}}\nmargins: 1": "there is no field 'margins'; did you mean 'margin'",
    f"arms: {{{A}, b: cvt_2_4_32}}\nmargin: 1 point": "margin: '1 point' is no number from 0 to 99.99",
    f"arms: {{{A}, b: cvt_2_4_32}}\nrecipe: digit": "no recipe is called 'digit'; did you mean 'digits'",
    f"arms: {{{A}, b: cvt_2_4_32}}\nlooks: [5, 3]": "looks: looks at .5, 3. seeds",
    f"arms: {{{A}, b: cvt_2_4_32}}\nlooks: [3, x]": "looks, at: 'x' is no whole number",
    f"arms: {{{A}, b: cvt_2_4_32}}\nlooks: {{at: 3}}": "looks, at: 3 is no list of seeds",
    f"arms: {{{A}, b: cvt_2_4_32}}\ncomparisons: all": "comparisons: 'all' is not possible; possible are baseline, chain",
    f"arms: {{{A}, b: cvt_2_4_32": "is no YAML",
    "arms: !!python/object:os.system {}": "is no YAML",
    "arms: 2024-99-99": "is no YAML",
    "a: " + "[" * 1500: "nested too deeply|is no YAML",
}


@pytest.mark.parametrize("text", BAD)
def test_bad_text_is_one_clear_line(text, tmp_path):
    with pytest.raises(ComparisonError, match=BAD[text]) as caught:
        load(text, tmp_path)
    assert str(caught.value).startswith(str(tmp_path / "mine.yaml"))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_files_that_are_no_text_or_not_there_are_named(tmp_path):
    with pytest.raises(ComparisonError, match=r"mine\.yaml is not UTF-8 text"):
        load(b"arms: \xff\xfe", tmp_path)
    with pytest.raises(ComparisonError, match=r"nowhere\.yaml cannot be read: No such file"):
        load_study(tmp_path / "nowhere.yaml")
    with pytest.raises(ComparisonError, match="cannot be read: Is a directory"):
        load_study(tmp_path)


VALUES = [
    None,
    True,
    -1,
    0,
    3.5,
    float("nan"),
    10**40,
    "",
    "x",
    "cct_2_3x2_32",
    [],
    [1, [2]],
    {},
    {"a": 1},
    {1: 2},
    [[[[]]]],
    b"x",
]


def test_three_hundred_spoiled_studies_are_studies_or_one_clear_line(tmp_path):
    """Values are exchanged for others anywhere in a study's data; nothing but a ComparisonError may come of it."""
    rng, refused = random.Random(0), 0
    for _ in range(300):
        data = yaml.safe_load(MINE if rng.random() < 0.5 else yaml.safe_dump(dump_study(STUDIES["glit.table1"])))
        for _ in range(rng.randint(1, 3)):
            _spoil(data, rng)
        try:
            load(yaml.safe_dump(data, sort_keys=False), tmp_path)
        except ComparisonError as error:
            refused += 1
            assert "\n" not in str(error)  # noqa: PT017
    assert 150 < refused < 300


def _spoil(data, rng):
    while True:
        keys = [*data] if isinstance(data, dict) else [*range(len(data))]
        if not keys:
            return
        key = rng.choice(keys)
        if isinstance(data[key], dict | list) and data[key] and rng.random() < 0.8:
            data = data[key]
            continue
        if isinstance(data, dict) and rng.random() < 0.3:
            data[rng.choice(["modle", "x", 3, "share"])] = data.pop(key)
        else:
            data[key] = rng.choice(VALUES)
        return


def test_names_with_commas_are_found_in_a_list_of_names():
    study = Study("s", "?", tuple(Arm(name, A) for name in ("a", "a, b", "b", "c, d")), baseline="a")
    assert study.names_in("a, b, c, d, b") == ["a, b", "c, d", "b"]
    assert study.names_in("b, a") == ["b", "a"]
    assert study.names_in("a,nobody") == ["a", "nobody"]


def test_arms_of_which_none_is_compared_are_refused():
    arms = (Arm("a", A, baseline="a"), Arm("b", A, baseline="b"))
    with pytest.raises(ComparisonError, match="none of the arms a, b is compared with another"):
        Study("s", "?", arms, baseline="a").pairs()
