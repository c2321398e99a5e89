"""ConvMixer: sizes and multiply-adds of its published networks, and their closed form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glocal.design import Act, adapt, cost, parts
from glocal.design.cost import ops
from glocal.families import architecture, list_models
from glocal.families.convmixer import convmixer
from strategies import law

# width, depth, patch, kernel, params, multiply-adds in units of the last digit that was written down
SIZES = {
    "convmixer_1536_20": (1536, 20, 7, 9, 51_625_960, 51.10),
    "convmixer_768_32": (768, 32, 7, 7, 21_110_248, 20.68),
    "convmixer_1024_20": (1024, 20, 14, 9, 24_383_464, 5.95),
    "convmixer_1536_20_p14_k9": (1536, 20, 14, 9, 52_303_336, 12.95),
    "convmixer_1536_24_p14_k9": (1536, 24, 14, 9, 62_275_048, 15.49),
    "convmixer_1536_20_p7_k3": (1536, 20, 7, 3, 49_414_120, 48.83),
    "convmixer_1024_16_p7_k9": (1024, 16, 7, 9, 19_381_224, 18.69),
    "convmixer_1024_12_p7_k8": (1024, 12, 7, 8, 14_621_672, 13.85),
    "convmixer_512_16_p7_k8": (512, 16, 7, 8, 5_357_544, 4.91),
    "convmixer_512_12_p7_k8": (512, 12, 7, 8, 4_165_608, 3.70),
    "convmixer_256_8_p2_k5_32": (256, 8, 2, 5, 594_186, 0.1481),
    "convmixer_256_8_p1_k9_32": (256, 8, 1, 9, 706_570, 0.7075),
    "convmixer_256_8_p2_k9_32": (256, 8, 2, 9, 708_874, 0.1775),
    "convmixer_256_8_p1_k5_32": (256, 8, 1, 5, 591_882, 0.5901),
    "convmixer_256_16_p1_k8_32": (256, 16, 1, 8, 1_339_402, 1.3430),
    "convmixer_128_8_p1_k9_32": (128, 8, 1, 9, 222_218, 0.2195),
    "convmixer_128_4_p1_k8_32": (128, 4, 1, 8, 103_434, 0.1011),
    "convmixer_512_8_p1_k9_32": (512, 8, 1, 9, 2_461_706, 2.4888),
}


def test_every_named_convmixer_has_a_row():
    assert set(list_models("convmixer*")) == SIZES.keys()


@pytest.mark.parametrize("name", SIZES)
def test_params_and_macs_are_those_of_the_authors_code(name):
    *_, params, gmacs = SIZES[name]
    digits = len(f"{gmacs:.4f}") - 2 if gmacs < 3 else 2
    assert cost(architecture(name)).params == params
    assert cost(architecture(name)).macs / 1e9 == pytest.approx(gmacs, abs=0.501 * 10.0 ** -min(digits, 4))


@law(200)
@given(
    h=st.integers(1, 99),
    d=st.integers(0, 9),
    k=st.integers(1, 11),
    p=st.integers(1, 9),
    c=st.integers(1, 4),
    n=st.integers(1, 99),
    size=st.integers(9, 99),
)
def test_cost_is_the_closed_form(h, d, k, p, c, n, size):
    arch = adapt(convmixer("any", width=h, depth=d, kernel=k, patch=p, size=size, classes=n), channels=c)
    grid = (size // p) ** 2
    params = (c * p**2 + 1) * h + 2 * h + d * ((k**2 + 1) * h + 2 * h + h**2 + h + 2 * h) + (h + 1) * n
    assert cost(arch) == (params, grid * h * c * p**2 + d * grid * h * (k**2 + h) + h * n)


def test_768_32_was_trained_with_relu_and_the_others_with_gelu():
    acts = {name: {op.kind for _, op, _ in ops(architecture(name)) if isinstance(op, Act)} for name in SIZES}
    assert {name for name, kinds in acts.items() if kinds == {"relu"}} == {"convmixer_768_32"}
    assert all(kinds == {"gelu"} for name, kinds in acts.items() if name != "convmixer_768_32")


def test_rows_that_fill_no_patch_are_dropped():
    (_, stem), *_ = parts(adapt(architecture("convmixer_1536_20"), size=(225, 230)))
    assert (stem.left.h, stem.left.w) == (32, 32)


@pytest.mark.parametrize("name", SIZES)
def test_any_convmixer_is_reached_by_its_numbers(name):
    width, depth, patch, kernel, *_ = SIZES[name]
    end = ("_relu" if "768" in name else "") + ("_32" if name.endswith("_32") and "768" not in name else "")
    assert architecture(f"convmixer_{width}_{depth}_p{patch}_k{kernel}{end}") == architecture(name)
