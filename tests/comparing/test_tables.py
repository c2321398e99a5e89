"""The studies of the papers: each builds at every scale, compares what it says, and prints what the paper prints."""

from fnmatch import fnmatchcase
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from glocal.comparing.arms import build_arms
from glocal.comparing.scaling import scaled
from glocal.comparing.study import SMALLER, Arm, Study
from glocal.comparing.tables import STUDIES, get_study, list_studies
from glocal.comparing.tables.page import document
from glocal.comparing.tables.sizes import sized
from glocal.data.dataset import Data, Split
from glocal.errors import ComparisonError
from glocal.families import architecture
from glocal.families.catalogue import published
from glocal.training.optimizer import optimizer
from glocal.weights import build_network, cost_of, find_architecture

# Studies whose arms the paper compares at equal multiply-adds, or ours; within a group of one baseline they agree at scale tiny.
EQUAL = ("coatnet.figure1", "coatnet.table2", "coatnet.eq3", "coatnet.table6", "coatnet.table8", "convnext.table1")
EQUAL += (
    "convnext.table2",
    "convnext.table8",
    "convnext.layerscale",
    "convmixer.patches",
    "glocal.families",
    "glocal.hybrids",
)


def pictures(classes: int = 10, n: int = 200) -> Data:
    """Data without pixels, which is all that building needs."""
    labels = np.arange(n, dtype=np.int64) % classes
    rows = tuple(SimpleNamespace(path=f"{i}.png") for i in range(n))
    train, val = (Split(name, labels, rows, None, None) for name in ("train", "val"))  # type: ignore[arg-type]
    return Data("pictures", tuple(map(str, range(classes))), train, val, None, (), "", 3, (32, 32), 0)


DATA = pictures()


def test_there_are_forty_studies_of_five_papers_and_ours():
    assert len(STUDIES) >= 38
    papers = {name.split(".")[0] for name in STUDIES}
    assert papers == {"coatnet", "convnext", "compact", "convmixer", "glit", "glocal"}
    assert [study.name for study in STUDIES.values()] == [*STUDIES]


@pytest.mark.parametrize("scale", ["paper", *SMALLER])
@pytest.mark.parametrize("name", STUDIES)
def test_every_study_builds_at_every_scale(name, scale):
    built = build_arms(STUDIES[name], DATA, scale=scale)
    assert all(arm.cost.macs > 0 for arm in built)
    if scale != "paper":
        sides = {arm.architecture.image.h for arm in built if "img_size" not in arm.arm.settings}
        assert sides <= {32}
        largest, ours = max(arm.cost.macs for arm in built), max(cost_of(_of_paper(arm.arm)).macs for arm in built)
        assert largest < ours


def _of_paper(arm: Arm):
    return find_architecture(arm.model) if isinstance(arm.model, str) else arm.model


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_says_what_it_asks_and_what_was_changed(name):
    study = STUDIES[name]
    for text in (study.question, study.hypothesis, study.source, study.keeps, study.changes):
        assert text
        assert text == text.strip()
        assert "\n" not in text
    assert study.question.endswith("?")
    assert all(text.endswith(".") for text in (study.hypothesis, study.keeps, study.changes))


@pytest.mark.parametrize("name", STUDIES)
def test_every_arm_is_compared_or_is_a_baseline(name):
    pairs = STUDIES[name].pairs()
    assert len(set(pairs)) == len(pairs)
    assert {side for pair in pairs for side in pair} == {arm.name for arm in STUDIES[name].arms}


def test_chains_compare_neighbours_in_the_order_of_the_paper():
    road = STUDIES["convnext.table10"]
    assert [arm.model for arm in road.arms] == [f"resnet50_step_{step}" for step in range(13)]
    assert [(pair.baseline, pair.arm) for pair in road.pairs()] == [
        (before.name, after.name) for before, after in zip(road.arms[:-1], road.arms[1:], strict=True)
    ]


@pytest.mark.parametrize("name", EQUAL)
@pytest.mark.parametrize("scale", SMALLER)
def test_arms_that_are_compared_at_equal_multiply_adds_have_them(name, scale):
    built = {arm.name: arm.cost.macs for arm in build_arms(STUDIES[name], DATA, scale=scale)}
    for pair in STUDIES[name].pairs():
        assert built[pair.arm] == pytest.approx(built[pair.baseline], rel=0.15), pair


@pytest.mark.parametrize("name", STUDIES)
def test_printed_numbers_are_percent_and_those_of_the_catalogue(name):
    for arm in STUDIES[name].arms:
        assert arm.printed is None or 10 < arm.printed < 100
        plain = isinstance(arm.model, str) and not arm.settings and arm.pretraining is None and arm.printed is not None
        known = published(arm.model) if plain else None
        if known and fnmatchcase(known[1], "*Table*"):
            assert arm.printed == pytest.approx(known[0], abs=0.05), arm  # some tables print one digit less


def test_a_comparison_is_within_its_group():
    """Pairs share their share of the pictures, their corruption and their picture size, unless the study is about those."""
    for name in ("coatnet.figure1", "convnext.table8", "compact.figure5", "compact.figures6_7", "compact.figure8"):
        study = STUDIES[name]
        for pair in study.pairs():
            arm, baseline = study.arm(pair.arm), study.arm(pair.baseline)
            assert (arm.share, arm.evaluation, arm.settings) == (baseline.share, baseline.evaluation, baseline.settings)


def test_names_are_found_by_pattern_and_near_misses_are_answered():
    assert list_studies() == [*STUDIES]
    assert list_studies("glit.*") == ["glit.table1", "glit.table3", "glit.table4", "glit.table6"]
    assert get_study("convnext.kernel") is STUDIES["convnext.kernel"]
    with pytest.raises(ComparisonError, match=r"did you mean convnext\.kernel"):
        get_study("convnext.kernels")


def test_the_page_of_the_studies_is_what_they_say():
    page = Path(__file__).parents[2] / "docs" / "studies.md"
    text = page.read_text()
    assert text == document(text), (
        "python -c \"from glocal.comparing.tables.page import write; write('docs/studies.md')\""
    )
    assert all(f"`{name}`" in text for name in STUDIES)


def test_an_arm_can_have_its_own_network_at_a_scale_its_own_baseline_and_a_longer_training():
    own = sized("resnet50", "tiny", width=16)
    arms = (
        Arm("a", "resnet50"),
        Arm("b", "resnet50", at={"tiny": own}, length=2),
        Arm("c", "resnet50", length=3, baseline="b"),
    )
    study = Study("s", "?", arms, "a")
    assert [tuple(pair) for pair in study.pairs()] == [("b", "a"), ("c", "b")]
    a, b, c = build_arms(study, DATA, scale="tiny", settings={"epochs": 4})
    assert (a.recipe.epochs, b.recipe.epochs, c.recipe.epochs) == (4, 8, 12)
    assert b.cost.macs < a.cost.macs == c.cost.macs
    with pytest.raises(ComparisonError, match=r"arm c: its baseline 'd' is no arm"):
        study.but(arms=(*arms[:2], Arm("c", "resnet50", baseline="d")))


def test_sized_networks_have_the_depths_and_the_width_that_were_asked_for():
    small = sized("swin_tiny", "tiny", depths=(2, 2, 4, 2), width=32)
    assert [(stage.width, len(stage.blocks)) for stage in small.stages] == [(32, 2), (64, 2), (96, 4), (192, 2)]
    assert [block.shifted for block in small.stages[2].blocks] == [False, True] * 2
    assert sized("glit_tiny", "tiny") == scaled(architecture("glit_tiny"), "tiny")
    kinds = [block.local for block in sized("glit_tiny", "tiny").stages[0].blocks]
    assert kinds == [0, 3, 2, 0]  # the first block, the last, and those between


def test_swin_windows_divide_the_grid_of_small_pictures():
    for scale in SMALLER:
        windows = [stage.blocks[0].window for stage in scaled(architecture("swin_tiny"), scale).stages]
        assert windows == [4, 4, 4, 2]


@pytest.mark.slow
def test_every_arm_of_every_study_learns_at_scale_tiny():
    """One step of each distinct network with its own optimiser: finite logits, and a finite gradient of every parameter."""
    seen = set()
    for study in STUDIES.values():
        for arm in build_arms(study, DATA, scale="tiny"):
            if arm.architecture in seen:
                continue
            seen.add(arm.architecture)
            torch.manual_seed(0)
            network = build_network(arm.architecture).train()
            steps = optimizer(network, arm.recipe)
            before = network.get_classifier().state_dict()
            before = {key: t.clone() for key, t in before.items()}
            logits = network(torch.randn(4, *arm.architecture.image))
            torch.autograd.backward(torch.nn.functional.cross_entropy(logits, torch.arange(4)))
            assert torch.isfinite(logits).all(), (study.name, arm.name)
            assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters()), arm.name
            steps.step()
            assert all(torch.isfinite(p).all() for p in network.parameters()), (study.name, arm.name)
            after = network.get_classifier().state_dict()
            assert any(not torch.equal(after[key], t) for key, t in before.items()), (study.name, arm.name)
    assert len(seen) > 150


def test_networks_that_are_evaluated_at_other_sizes_read_them():
    for arm in build_arms(STUDIES["compact.figure8"], DATA, scale="tiny"):
        size = arm.arm.evaluation.img_size
        if size is not None:
            network = build_network(arm.architecture).eval().resized((size, size))
            assert network(torch.zeros(1, 3, size, size)).shape == (1, 10)
