"""timm's own CoAtNets: the weights and multiply-adds that were measured of them, and what sets them apart."""

import json

import pytest

from glocal.design import Act, Attention, LogRelativeAttention, SqueezeExcite, adapt, cost, dump, load
from glocal.design.cost import ops
from glocal.errors import ShapeError
from glocal.families import architecture, vocabulary
from glocal.families.variants.coatnet_timm import NAMES, TIMM, TOP1, TransformerRW

# params at 224; billions of multiply-adds of convolutions and products at 224, 384 and 512 (specs/coatnet.md, 4.5)
MEASURED = {
    "coatnet_pico_rw_224": (10_851_364, 2.028, 6.485, 12.629),
    "coatnet_nano_rw_224": (15_141_244, 2.383, 7.652, 14.967),
    "coatnet_0_rw_224": (27_435_562, 4.406, 14.070, 27.369),
    "coatnet_bn_0_rw_224": (27_435_562, 4.647, 14.778, 28.627),
    "coatnet_1_rw_224": (41_721_502, 7.992, 25.783, 50.658),
    "coatnet_2_rw_224": (73_868_400, 15.019, 47.198, 90.335),
    "coatnet_3_rw_224": (165_173_428, 33.32),
    "coatnet_rmlp_nano_rw_224": (15_145_116, 2.594, 8.275, 16.076),
    "coatnet_rmlp_0_rw_224": (27_446_074, 4.685, 14.893, 28.834),
    "coatnet_rmlp_1_rw_224": (41_691_982, 7.807, 25.245, 49.704),
    "coatnet_rmlp_1_rw2_224": (41_724_622, 8.067, 26.009, 51.063),
    "coatnet_rmlp_2_rw_224": (73_881_264, 15.115, 47.488, 90.856),
    "coatnet_rmlp_2_rw_384": (73_881_264, 15.115, 47.488, 90.856),
    "coatnet_rmlp_3_rw_224": (165_152_788, 33.459, 102.927, 192.628),
    "coatnet_nano_cc_224": (13_757_328, 2.213, 7.089, 13.834),
    "coatnext_nano_rw_224": (14_701_244, 2.461, 7.884, 15.380),
}


def test_every_name_has_a_row_and_timm_one_of_the_same_name():
    assert set(NAMES) == MEASURED.keys() == TIMM.keys()
    assert all(arguments["model_name"] == name for name, arguments in TIMM.items())
    assert TOP1.keys() < set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_params_and_macs_are_those_measured_of_timm(name):
    params, *gmacs = MEASURED[name]
    assert cost(adapt(architecture(name), size=224)).params == params
    for size, printed in zip((224, 384, 512), gmacs, strict=False):
        digits = 2 if name == "coatnet_3_rw_224" else 3
        macs = cost(adapt(architecture(name), size=size)).macs
        assert macs / 1e9 == pytest.approx(printed, abs=0.501 * 10.0**-digits), size


@pytest.mark.parametrize("name", NAMES)
def test_plain_data_make_the_architecture_again(name):
    arch = architecture(name)
    assert load(json.loads(json.dumps(dump(arch))), vocabulary()) == arch
    assert arch.image[1:] == (int(name.rpartition("_")[2]),) * 2


@pytest.mark.parametrize("name", [name for name in NAMES if "rmlp" in name])
def test_a_perceptron_of_offsets_weighs_the_same_at_every_size(name):
    arch = architecture(name)
    assert cost(adapt(arch, size=512)).params == cost(adapt(arch, size=64)).params
    assert all(isinstance(op, LogRelativeAttention) for _, op, _ in ops(arch) if isinstance(op, Attention))


@pytest.mark.parametrize("name", NAMES)
def test_attention_is_as_wide_inside_as_what_it_is_given(name):
    attentions = [(op, s) for _, op, s in ops(architecture(name)) if isinstance(op, Attention)]
    assert all(op.inner == s.c and op.head_dim == 32 for op, s in attentions)
    assert any(op.width != s.c for op, s in attentions) == ("_cc_" not in name)


@pytest.mark.parametrize("name", [name for name in NAMES if "coatnext" not in name])
def test_squeeze_excite_narrows_to_a_quarter(name):
    assert all(4 * op.width == s.c for _, op, s in ops(architecture(name)) if isinstance(op, SqueezeExcite))


def test_gelu_is_left_to_transformers_and_to_coatnext():
    acts = {name: {op.kind for _, op, _ in ops(architecture(name)) if isinstance(op, Act)} for name in NAMES}
    assert acts.pop("coatnext_nano_rw_224") == {"gelu"}
    assert all(kinds == {"silu", "gelu"} for kinds in acts.values())


def test_heads_that_do_not_divide_what_they_are_given_are_refused():
    with pytest.raises(ShapeError, match="heads of 32 do not divide the width 48"):
        TransformerRW().spell(48, 96, 2)
