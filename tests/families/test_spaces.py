"""The named spaces: their sizes and costs, what the paper restricts, and that the released GLiT-Tiny is one sheet of answers."""

import importlib.util
import json
import random
import statistics
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from glocal.design import Stage, adapt, cost, decide, dump, load, parts, python, questions, sample, vary
from glocal.design.space import answers_of, size
from glocal.design.span import cost_range, reach
from glocal.errors import ArchitectureError
from glocal.families import architecture, coatnet, glit, list_models, vocabulary
from glocal.families.glit import MIXES, RELEASED, GLiTBlock, legacy_macs, options, to_official
from glocal.families.spaces import hierarchy, list_spaces, model_or_space, space

GOLDEN = Path(__file__).parent.parent / "golden"
GENES = {"qkv": (0.5, 1.0, 2.0), "mlp": (2.0, 4.0, 6.0), "expansion": (1, 2, 4), "kernel": (17, 31, 45)}  # Table 2


@pytest.mark.parametrize("name", list_spaces())
def test_every_space_asks_something_is_text_and_has_a_range(name):
    found = space(name)
    assert found.name == name
    assert questions(found)
    assert load(json.loads(json.dumps(dump(found))), vocabulary()) == found
    assert python(found)
    least, most = cost_range(found)
    assert least.params < most.params
    assert least.macs < most.macs
    rng = random.Random(0)
    for _ in range(5):
        arch = decide(found, sample(found, rng))
        assert least.macs <= cost(arch).macs <= most.macs
        assert decide(found, answers_of(found, arch)) == arch
    assert cost(decide(adapt(found, classes=7), (0,) * len(questions(found)))).params > 0
    assert name not in list_models()


# ------------------------------------------------------------------------------------------------------ GLiT: sizes


def test_spaces_have_the_sizes_that_the_paper_counts():
    assert size(space("glit_tiny_distribution")) == 4**12 == 16_777_216
    assert size(space("glit_tiny_details")) == size(space("glit_tiny_nlp")) == 9**12 == 282_429_536_481
    assert size(space("glit_tiny_joint")) == 198**12
    assert f"{198**12:.1e}" == "3.6e+27"
    base = space("glit_tiny_distribution")
    all_genes = {81: vary(GLiTBlock(), GENES), 324: vary(GLiTBlock(), {"local": (0, 1, 2, 3), **GENES})}
    for n, question in all_genes.items():
        assert size(replace(base, stages=(Stage(192, (question,) * 12),))) == n**12
    assert f"{324**12:.1e}" == "1.3e+30", "as the paper prints"
    assert f"{81**12:.2e}" == "7.98e+22"


def test_of_324_combinations_198_make_blocks_that_differ():
    (question,) = {*questions(space("glit_tiny_joint"))}
    assert len({*question.options}) == 198
    of_kind = [glit.kind(block) for block in question.options]
    assert {kind: of_kind.count(kind) for kind in of_kind} == {"local": 27, "mixed": 162, "global": 9}
    sentences = {word.spell(192, 192, 1) for word in question.options}
    assert len(sentences) == 198
    every = vary(GLiTBlock(), {"local": (0, 1, 2, 3), **GENES}).options
    assert {word.spell(192, 192, 1) for word in every} == sentences


def test_the_joint_space_holds_both_levels():
    joint = space("glit_tiny_joint")
    for name in ("glit_tiny_distribution", "glit_tiny_details", "glit_tiny_nlp"):
        level, rng = space(name), random.Random(1)
        for _ in range(20):
            arch = decide(level, sample(level, rng))
            assert decide(joint, answers_of(joint, arch)).stages == arch.stages


# ------------------------------------------------------------------------------------------------------ GLiT: options


@pytest.mark.parametrize(("which", "heads"), [("tiny", 3), ("small", 6), ("base", 12)])
@pytest.mark.parametrize("thirds", range(4))
def test_level_2_asks_the_authors_nine_in_their_order(which, heads, thirds):
    """Whose costs test_glit holds against the table of all 9 x 4."""
    level = space(f"glit_{which}_details_{str(thirds) * 12}")
    assert [q.options for q in questions(level)] == [options(heads, thirds)] * 12
    assert all(len(of) == 9 for path, of in reach(level).items() if ".blocks." in path)


def test_the_kernels_of_cifar_follow_its_grid():
    level = space("glit_cifar_details")
    found = {option.kernel for q in questions(level) for option in q.options if option.local == option.heads}
    assert found == {m * 8 + 3 for m in (1, 2, 3)} == {11, 19, 27}
    frozen = {option.kernel for q in questions(space("glit_cifar_distribution")) for option in q.options}
    assert frozen == {19}
    assert questions(space("glit_cifar_joint")) == questions(space("glit_cifar_192_12_joint"))
    narrow = space("glit_cifar_96_6_joint")
    assert (narrow.stages[0].width, len(questions(narrow)), narrow.image.h, narrow.head[-1].width) == (96, 6, 32, 10)


# ------------------------------------------------------------------------------------------------------ GLiT: levels


def test_glit_tiny_is_level_2s_answers_under_level_1s():
    both = hierarchy("glit_tiny")
    first = decide(both.first, RELEASED[0])
    second = both.refine(first)
    assert second == replace(space("glit_tiny_details"), name=second.name)
    assert second.name == "glit_tiny_details_301301310303"
    assert second == space(second.name)
    found = replace(decide(second, RELEASED[1]), name="glit_tiny")
    assert found == architecture("glit_tiny")
    assert cost(found) == (7_264_456, 1_472_873_280)
    assert legacy_macs(found) == 1_332_470_592
    assert to_official(found) == tuple(map(list, RELEASED))
    assert (answers_of(both.first, first), answers_of(second, found)) == RELEASED


def test_its_logits_are_those_of_the_authors_code():
    import torch

    from glocal.net import Network
    from glocal.weights import load_into

    spec = importlib.util.spec_from_file_location("fill", GOLDEN / "fill.py")
    golden = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(golden)
    fixture = json.loads((GOLDEN / "glit_tiny_patch16_224.json").read_text())
    both = hierarchy("glit_tiny")
    network = Network(decide(both.refine(decide(both.first, RELEASED[0])), RELEASED[1])).double().eval()
    filled = {key: golden.fill(key, tuple(shape)) for key, shape, kind in fixture["tensors"] if kind == "fill"}
    counters = {key: torch.tensor(0) for key, _, kind in fixture["tensors"] if kind == "integer"}
    load_into(network, {key: torch.from_numpy(values).double() for key, values in filled.items()} | counters)
    x = torch.from_numpy(golden.image(fixture["batch"], fixture["channels"], fixture["image_size"])).double()
    with torch.no_grad():
        logits = network(x).numpy()
    shown = np.array(fixture["logits"])
    np.testing.assert_allclose(logits[:, : shown.shape[1]], shown, atol=1e-6, rtol=0)
    np.testing.assert_allclose(logits.sum(1), fixture["logits_sum"], atol=2e-5, rtol=0)


def test_a_winner_is_refined_as_it_is():
    both = hierarchy("glit_cifar_96_6")
    winner = adapt(decide(both.first, (0, 3, 1, 2, 3, 0)), classes=5, drop_path=0.0)
    second = both.refine(winner)
    assert (second.name, second.drop_path, second.head) == ("glit_cifar_96_6_details_031230", 0.0, winner.head)
    assert decide(second, answers_of(second, winner)).stages == winner.stages, "the frozen values are among the details"
    with pytest.raises(ArchitectureError, match="cct_7_3x1_32 is no answer of glit_cifar_96_6_distribution"):
        both.refine(architecture("cct_7_3x1_32"))
    assert hierarchy("hybrid_cifar") is None


@pytest.mark.parametrize("which", ["glit_tiny", "glit_cifar", "glit_small", "glit_base"])
def test_the_all_global_and_all_local_networks_are_answers_of_level_1(which):
    first = hierarchy(which).first
    for thirds, local in ((3, 0), (0, 3)):
        blocks = decide(first, (thirds,) * 12).stages[0].blocks
        assert {3 * block.local // block.heads for block in blocks} == {local}


def test_level_1_costs_what_table_1s_mixes_do():
    first = space("glit_tiny_distribution")
    for g, local in MIXES:
        assert cost(decide(first, (g,) * 12)) == cost(architecture(f"glit_mix_{g}_{local}"))
    least, most = cost_range(first)
    assert (least.macs / 1e6, most.macs / 1e6) == (pytest.approx(950.18, abs=0.01), pytest.approx(1253.68, abs=0.01))


def test_under_the_released_distribution_networks_cost_749_to_1924_m():
    level = space("glit_tiny_details")
    least, most = cost_range(level)
    assert (round(least.macs / 1e6), round(most.macs / 1e6)) == (749, 1924)
    assert (round(least.params / 1e6, 2), round(most.params / 1e6, 2)) == (3.80, 9.22)
    rng = random.Random(0)
    drawn = [decide(level, sample(level, rng)) for _ in range(2000)]
    true, legacy = ([of(arch) / 1e6 for arch in drawn] for of in (lambda arch: cost(arch).macs, legacy_macs))
    assert (statistics.mean(true), statistics.stdev(true)) == (pytest.approx(1294, abs=8), pytest.approx(109, abs=6))
    assert (statistics.mean(legacy), statistics.stdev(legacy)) == (
        pytest.approx(1204, abs=8),
        pytest.approx(100, abs=6),
    )
    for limit, share in ((1253, 0.69), (1300, 0.83), (1335, 0.90), (1400, 0.97)):
        assert sum(macs <= limit for macs in legacy) / len(legacy) == pytest.approx(share, abs=0.03)


# ------------------------------------------------------------------------------------------------------ others


def test_coatnets_layouts_of_equal_cost_are_answers_of_its_space():
    asked = space("coatnet_layouts")
    assert [q.name for q in questions(asked)] == ["depth of S1", "depth of S2", "layout", "depth of S3", "depth of S4"]
    assert size(asked) == 4 * 3 * 5 * 5 * 3
    for i, layout in enumerate(coatnet.LAYOUTS):
        arch = architecture(f"coatnet_layout_{layout}")
        told = answers_of(asked, arch)
        assert told[2] == i
        assert replace(decide(asked, told), name=arch.name) == arch
    for name in ("coatnet_0", "coatnet_1"):
        assert decide(asked, answers_of(asked, architecture(name))).stages == architecture(name).stages


@pytest.mark.parametrize("name", ["coatnet_layouts", "coatnet_layouts_cifar"])
def test_a_layout_is_convolution_first_and_attention_after(name):
    asked = space(name)
    found = set()
    for sheet in product(*(range(len(q.options)) for q in questions(asked))):
        kinds = [{type(block).__name__ for block in stage.blocks} for stage in decide(asked, sheet).stages]
        assert all(len(kind) == 1 for kind in kinds)
        found.add("".join("C" if kind == {"MBConv"} else "T" for kind in kinds))
    assert found == {"CCCC", "CCCT", "CCTT", "CTTT"}


def test_a_hybrid_takes_a_block_of_any_family_anywhere():
    asked = space("hybrid_cifar")
    families = {type(option).__module__.rsplit(".", 1)[1] for q in questions(asked) for option in q.options}
    assert families == {"coatnet", "convmixer", "convnext", "vit"}
    assert all(len(of) == 5 for path, of in reach(asked).items() if ".blocks." in path)
    first, *later = (q.options for q in questions(space("hybrid_224")))
    assert not any("Transformer" in type(option).__name__ for option in first), "56 x 56 positions are too many"
    assert any("Transformer" in type(option).__name__ for option in later[-1])
    wide = decide(asked, (4,) * 10)
    assert {part.given.c // part.word.heads for path, part in parts(wide) if ".blocks." in path} == {32}


# ------------------------------------------------------------------------------------------------------ names


def test_names_are_found_or_suggested():
    assert list_spaces("glit_cifar*") == [
        f"glit_cifar_{asked}" for asked in ("details", "distribution", "joint", "nlp")
    ]
    assert model_or_space("glit_tiny") == architecture("glit_tiny"), "a model before a space"
    assert size(space("glit_tiny")) == 198**12
    assert model_or_space("glit_cifar_joint") == space("glit_cifar_joint")
    with pytest.raises(ArchitectureError, match=r"no space is called 'glit_cifar_jont'; did you mean glit_cifar_joint"):
        model_or_space("glit_cifar_jont")
    with pytest.raises(
        ArchitectureError, match=r"no architecture is called 'convnext_tny'; did you mean convnext_tiny"
    ):
        model_or_space("convnext_tny")
    for wrong in ("glit_cifar_100_6", "glit_tiny_joint_3", "glit_cifar_0_6_joint", "glit_huge_joint", "coatnet_layout"):
        with pytest.raises(ArchitectureError, match=rf"no space is called '{wrong}'"):
            space(wrong)
    with pytest.raises(
        ArchitectureError, match=r"6 blocks and a distribution of 12; .*glit_cifar_96_6_details_301301$"
    ):
        space("glit_cifar_96_6_details")


def test_a_file_is_a_space_if_it_asks(tmp_path):
    import yaml

    for arch in (space("hybrid_cifar"), architecture("glit_tiny")):
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(dump(arch)))
        if questions(arch):
            assert space(str(tmp_path / "mine.yaml")) == arch
        else:
            with pytest.raises(ArchitectureError, match=r"mine\.yaml asks nothing: put OneOf or Vary"):
                space(str(tmp_path / "mine.yaml"))
