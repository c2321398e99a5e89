"""Names: ours, timm's, the authors', wildcards, and the nearest ones to a misspelt one."""

import pytest

from glocal.design import First, LearnedPosition, SequencePool, SinePosition, cost
from glocal.errors import ArchitectureError
from glocal.families import architecture, list_models, vocabulary
from glocal.families.catalogue import FAMILIES, words
from glocal.families.mixture import ToGrid, ToTokens


@pytest.mark.parametrize("name", list_models())
def test_a_listed_name_is_the_name_of_its_architecture(name):
    assert architecture(name).name == name


def test_no_name_is_listed_twice_or_read_by_two_families():
    names = list_models()
    assert len(names) == len(set(names))
    for name in names:
        assert len([family for family in FAMILIES if family.named(name)]) == 1


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("vit_7_4_32", "vit_lite_7_4_32"),
        ("vit_2_4_32_sine", "vit_lite_2_4_32_sine"),
        ("cct_7_3x1_32_sine_c100", "cct_7_3x1_32_sine_c100"),
        ("vit_tiny_patch16_224", "vit_tiny"),
        ("deit_base_patch16_224", "deit_base"),
        ("convmixer_1024_20_ks9_p14", "convmixer_1024_20"),
        ("convmixer_1536_20_p7_k9", "convmixer_1536_20"),
        ("convmixer_768_32_relu", "convmixer_768_32"),
        ("convmixer_768_32_p7_k7_relu", "convmixer_768_32"),
    ],
)
def test_the_authors_and_timms_names_are_answered_with_ours(theirs, ours):
    assert architecture(theirs) == architecture(ours)
    assert architecture(theirs).name == ours


def test_any_convmixer_and_any_compact_transformer_can_be_named():
    assert cost(architecture("convmixer_8_3_p2_k6_32")).params == 3 * 8 * 4 + 24 + 3 * (37 * 8 + 16 + 72 + 16) + 90
    arch = architecture("cct_16_7x3_96_sine_class_pre_c100")
    assert (len(arch.stages[0].blocks), arch.image, arch.head[-1].width) == (16, (3, 96, 96), 100)
    assert isinstance(arch.stem[-1], SinePosition)
    assert isinstance(arch.head[1], First)
    assert type(arch.stages[0].blocks[0]).__name__ == "TransformerLayer"


def test_suffixes_change_what_they_name_and_nothing_else():
    plain, none, sine = (architecture(f"cct_7_3x2_32{end}") for end in ("", "_none", "_sine"))
    assert (plain.stages, plain.head) == (none.stages, none.head) == (sine.stages, sine.head)
    assert isinstance(plain.stem[-1], LearnedPosition)
    assert plain.stem[:-1] == none.stem == sine.stem[:-1]
    assert isinstance(plain.head[1], SequencePool)
    assert architecture("cct_7_3x1_32_c100").head[-1].width == 100
    assert architecture("cct_14_7x2_384_fl").head[-1].width == architecture("cct_7_7x2_224").head[-1].width == 102


@pytest.mark.parametrize(
    ("misspelt", "nearest"),
    [
        ("cct_7_3x1_32_c10", "cct_7_3x1_32_c100"),
        ("vit_lite_7_4", "vit_lite_7_4_32"),
        ("vit_tiney", "vit_tiny"),
        ("convmixer_1536_21", "convmixer_1536_20"),
        ("convmixer-768-32", "convmixer_768_32"),
        ("CCT_7_3x1_32", "cct_7_3x1_32"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest(misspelt, nearest):
    with pytest.raises(ArchitectureError, match=rf"{misspelt}.*did you mean .*\b{nearest}\b"):
        architecture(misspelt)


@pytest.mark.parametrize("name", ["", "resnet51", "no such thing"])
def test_a_name_like_no_other_is_sent_to_the_list(name):
    with pytest.raises(ArchitectureError, match=f"no architecture is called '{name}'"):
        architecture(name)


@pytest.mark.parametrize(
    "name",
    [
        "cct_7_3x0_32",
        "cct_07_3x1_32",
        "cct_7_4_32",
        "cvt_7_3x1_32",
        "vit_9_4_32",
        "convmixer_256_0_p2_k5",
        "vit_tiny_224px",
    ],
)
def test_a_name_that_only_looks_right_is_none(name):
    with pytest.raises(ArchitectureError, match="no architecture is called"):
        architecture(name)


def test_wildcards_select_and_numbers_sort_by_size():
    cct = list_models("cct*")
    assert (
        cct.index("cct_2_3x2_32")
        < cct.index("cct_7_3x1_32")
        < cct.index("cct_14_7x2_224")
        < cct.index("cct_14_7x2_384")
    )
    assert list_models("convmixer_1*_20") == ["convmixer_1024_20", "convmixer_1536_20"]
    assert list_models("*_sine_c100") == ["cct_7_3x1_32_sine_c100"]
    assert list_models("nothing*") == []
    assert set(list_models("c*")) | set(list_models("[!c]*")) == set(list_models())


def test_every_word_of_every_family_can_be_read_back():
    stages = [stage for name in list_models() for stage in architecture(name).stages]
    said = {type(b) for stage in stages for b in (*stage.blocks, *((stage.downsample,) if stage.downsample else ()))}
    assert said == set(words()) - {ToGrid, ToTokens}, "every word but those of no paper stands in a named architecture"
    assert said <= set(vocabulary().values())


def test_no_two_words_or_ops_bear_one_name():
    known = vocabulary()
    assert {known[word.__name__] for word in words()} == set(words())
