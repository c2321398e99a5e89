"""Candidates are named, built for the pictures, and refused with the number that decided."""

import pytest
import torch

from glocal.data import check
from glocal.errors import ArchitectureError, ComparisonError, RecipeError
from glocal.picking.candidates import (
    LARGE_NETWORKS,
    SMALL_NETWORKS,
    Candidate,
    build,
    build_all,
    names_for,
    with_weights,
)
from glocal.picking.measuring import footprints
from glocal.picking.measuring.footprints import measure_in
from glocal.picking.measuring.limits import Footprint, within_counts, within_measured
from glocal.picking.open_pick import select
from glocal.picking.settings import PickSettings

SMALL, LARGE = (32, 32), (300, 400)


@pytest.mark.parametrize(("names", "size"), [(SMALL_NETWORKS, 32), (LARGE_NETWORKS, 224)])
def test_every_default_candidate_can_be_built_and_has_the_classes(names, size):
    built, refused = build_all(names, classes=7, channels=3, size=size)
    assert not refused
    assert [each.name for each in built] == list(names)
    assert all(each.architecture.head[-1].width == 7 for each in built)
    assert len({(each.cost.params, each.cost.macs) for each in built}) == len(names)


def test_candidates_follow_the_size_of_the_pictures():
    assert names_for(None, SMALL) == SMALL_NETWORKS
    assert names_for(None, LARGE) == LARGE_NETWORKS


@pytest.mark.parametrize(
    ("wanted", "typical", "found"),
    [
        ("cct*", SMALL, {"cct_2_3x2_32@tiny", "cct_7_3x2_32@tiny", "cct_7_7x2_224@tiny"}),
        ("cct_2*@tiny, hybrid_*", SMALL, {"cct_2_3x2_32@tiny", "hybrid_25@tiny", "hybrid_50@tiny", "hybrid_75@tiny"}),
        ("poolformer_s12", SMALL, {"poolformer_s12"}),
        ("poolformer_s12*", SMALL, {"poolformer_s12@tiny"}),
        ("coatnet_1*", SMALL, {"coatnet_1@tiny", "coatnet_1_dw@tiny", "coatnet_1_rw_224@tiny", "coatnet_1_224@tiny"}),
        ("swin*", LARGE, {"swin_tiny"}),
        ("convnext_atto@cifar,convnext_atto@cifar", SMALL, {"convnext_atto@cifar"}),
    ],
)
def test_wildcards_mean_the_sizes_that_suit_the_pictures_and_names_mean_themselves(wanted, typical, found):
    assert set(names_for(wanted, typical)) == found


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("convnex_tiny", "did you mean"),
        ("nosuch*", "nothing is called 'nosuch\\*'"),
        ("cct_2_3x2_32@huge", "the scales are paper, cifar, tiny"),
        (" , ", "names no network"),
    ],
)
def test_a_wrong_name_is_one_clear_line(wanted, says):
    with pytest.raises((ArchitectureError, ComparisonError), match=says) as error:
        names_for(wanted, SMALL)
    assert "\n" not in str(error.value)


def test_a_network_that_does_not_fit_the_pictures_says_so():
    built, refused = build_all(["airbench_32_128_256@tiny", "cvt_2_4_32@tiny"], classes=2, channels=1, size=16)
    assert [each.name for each in built] == ["cvt_2_4_32@tiny"]
    assert "16x16 do not fit" in refused[0].reason


@pytest.fixture(scope="module")
def two() -> tuple[Candidate, ...]:
    return tuple(build(name, classes=2, channels=3, size=16) for name in ("cvt_2_4_32@tiny", "cct_2_3x2_32@tiny"))


def test_counted_limits_are_exact_and_named_with_their_number(two):
    small, large = sorted(two, key=lambda each: each.cost.params)
    assert within_counts(two, PickSettings(max_params=large.cost.params))[1] == ()
    kept, refused = within_counts(two, PickSettings(max_params=large.cost.params - 1, max_macs=1))
    assert not kept
    assert "over --max-macs 1" in refused[0].reason
    assert [("--max-params" in each.reason) for each in refused if each.name == large.name] == [True]
    assert within_counts(two, PickSettings(max_params=small.cost.params))[0] == (small,)


def test_measured_limits_are_named_with_what_was_measured(two):
    footprints = {two[0].name: Footprint(3.0, 4.0, 100), two[1].name: Footprint(5.0, 6.0, 50)}
    kept, refused = within_measured(two, footprints, PickSettings(max_latency_ms=5, max_memory_bytes=200))
    assert kept == two[:1]
    assert refused[0].reason == "upper quartile of latency 6.00 ms, over --max-latency 5ms"


def test_what_is_measured_keeps_a_distance_from_its_limit_and_what_is_counted_does_not(two):
    """Measured again, a network may take some percent more."""
    counted, measured = (
        dict.fromkeys((each.name for each in two), Footprint(1.0, 2.0, 97, file)) for file in (None, 97)
    )
    assert within_measured(two, counted, PickSettings(max_memory_bytes=100))[0] == two
    for limit in ({"max_memory_bytes": 100}, {"max_file_bytes": 100}, {"max_latency_ms": 2.03}):
        kept, refused = within_measured(two, measured, PickSettings(form="onnx", **limit))
        assert not kept
        assert "within 5% of --max-" in refused[0].reason


def test_a_file_has_a_limit_only_where_there_is_one(shades):
    data = check(shades, val_fraction=0.25).require_data()
    with pytest.raises(RecipeError, match="--max-file has no effect with --form pytorch"):
        select(data, PickSettings(max_file_bytes=100), {})


@pytest.mark.parametrize("form", ["pytorch", "onnx"])
def test_every_candidate_is_measured(two, form, monkeypatch):
    monkeypatch.setattr(footprints, "LEAST_S", 0.5)
    found = measure_in(form, limited=True)(two, torch.device("cpu"))
    assert found.keys() == {each.name for each in two}
    assert all((f.file_bytes is None) == (form == "pytorch") for f in found.values())
    assert all(
        0 < f.p50_ms <= f.p75_ms and f.memory_bytes > 4 * c.cost.params
        for f, c in zip(found.values(), two, strict=True)
    )


def test_exported_forms_are_measured_on_the_processor(two):
    with pytest.raises(RecipeError, match="--form onnx is measured on the processor; give --device cpu"):
        measure_in("onnx")(two, torch.device("cuda"))


def test_weights_are_files_that_bear_a_candidates_name(two, tmp_path):
    with pytest.raises(ComparisonError, match="there is no such folder"):
        with_weights(two, tmp_path / "none")
    with pytest.raises(ComparisonError, match="no file is named after a candidate"):
        with_weights(two, tmp_path)
    (tmp_path / f"{two[0].name}.safetensors").touch()
    assert [each.weights is not None for each in with_weights(two, tmp_path)] == [True, False]
