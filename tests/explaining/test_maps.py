"""Maps in the coordinates of the picture, pastes with the place of their object, and the checks of methods."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import nn

import glocal
from glocal.data.batches.preprocess import Preprocess
from glocal.explaining.checks import Difference, Pointing, Sample, randomised, rank_correlation, run_checks
from glocal.explaining.methods import METHODS, Explainer
from glocal.explaining.overlays import explainer_of, overlay
from glocal.explaining.pastes import make_pastes, scrambled
from glocal.explaining.picture_maps import heat, on_picture
from glocal.explaining.subject import subject_of
from strategies import law

sides = st.integers(20, 90)


@law(40)
@given(
    sides,
    sides,
    st.sampled_from([(32, 32), (24, 40)]),
    st.sampled_from([1.0, 0.875]),
    st.sampled_from(["crop", "squash"]),
)
def test_a_map_lies_where_the_network_saw_it(h, w, size, crop_pct, aspect):
    """A spot of the picture, sent through the network's geometry and back as a map, is where it was."""
    preprocess = Preprocess(size, crop_pct, interpolation="bilinear", aspect=aspect)
    y, x = np.mgrid[:h, :w]
    ramps = np.stack((y * 255 / h, x * 255 / w, 0 * x), 2).round().astype(np.uint8)
    seen = preprocess.resize(ramps).astype(float)
    for axis, side in ((0, h), (1, w)):
        back = on_picture(seen[axis], (h, w), preprocess)
        inside = ~np.isnan(back)
        assert inside.any()
        off = np.abs(back - ramps[:, :, axis])[inside] * side / 255  # in pixels of the picture
        middle = back[h // 2, w // 2] - ramps[h // 2, w // 2, axis]
        assert np.median(off) < 1.0
        assert abs(middle) * side / 255 < 1.5


def test_what_is_cropped_has_no_value():
    found = on_picture(np.ones((7, 7)), (100, 200), Preprocess((32, 32)))
    assert np.isnan(found[:, :49]).all()
    assert np.isnan(found[:, 151:]).all()
    assert (found[:, 51:149] == 1).all()
    dark = heat(np.full((100, 200, 3), 200, np.uint8), found)
    assert dark[:, :49].max() < 100


def test_pastes_know_where_their_object_is():
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (20, 30, 3), dtype=np.uint8), np.full((16, 16, 3), 255, np.uint8)]
    pastes = make_pastes(pictures, 40, size=(50, 40), seed=3)
    again = make_pastes(pictures, 40, size=(50, 40), seed=3)
    for paste, other in zip(pastes, again, strict=True):
        top, left, bottom, right = paste.box
        assert (bottom - top, right - left) == (20, 16)
        assert 0 <= top <= bottom <= 50
        assert 0 <= left <= right <= 40
        assert np.array_equal(paste.canvas, other.canvas)
        if paste.index == 1:
            assert (paste.canvas[top:bottom, left:right] == 255).all()
    assert len({paste.box for paste in pastes}) > 20


def test_scrambling_keeps_colour_and_texture():
    picture = np.random.default_rng(1).integers(60, 190, (32, 48, 3), dtype=np.uint8)
    texture = scrambled(picture, np.random.default_rng(2))
    assert texture.mean((0, 1)) == pytest.approx(picture.mean((0, 1)), abs=1)
    assert texture.std() == pytest.approx(picture.std(), rel=0.1)
    assert abs(np.corrcoef(texture.ravel(), picture.ravel())[0, 1]) < 0.2


class Finder(nn.Module):
    """A network that finds bright red, by one filter."""

    num_features, feature_info = 2, ()

    def __init__(self) -> None:
        super().__init__()
        self.filter = nn.Conv2d(3, 2, 5, 4, 2, bias=False)
        self.gain = 1.0
        with torch.no_grad():
            self.filter.weight.zero_()
            self.filter.weight[0, 0] = 1.0
            self.filter.weight[0, 1:] = -0.5

    def forward_features(self, x):
        return self.filter(x).relu()

    def forward(self, x):
        return self.forward_features(x).mean((2, 3))


def red_squares(n: int) -> Sample:
    x, boxes = 0.1 * torch.randn(n, 3, 32, 32, generator=torch.Generator().manual_seed(0)), []
    for i, (top, left) in enumerate(np.random.default_rng(0).integers(0, 23, (n, 2)).tolist()):
        x[i, 0, top : top + 10, left : left + 10] = 3
        boxes.append((top, left, top + 10, left + 10))
    return Sample(x, torch.zeros(n, dtype=torch.long), boxes)


def test_a_network_that_finds_objects_passes():
    explainer = Explainer(subject_of(Finder(), (32, 32)))
    sample = red_squares(16)
    checks = run_checks(explainer, "gradcam", sample, sample)
    assert checks.pointing.hits == 16
    assert checks.pointing.verdict == "better"
    assert (checks.deletion.verdict, checks.deletion_centre.verdict) == ("better", "better")
    assert (checks.insertion.verdict, checks.insertion_centre.verdict) == ("better", "better")


def test_a_map_that_no_weight_changes_carries_the_warning(monkeypatch):
    """Brightness alone, as of an edge detector."""
    brightness = METHODS["features"].__class__(
        "brightness", "", lambda subject, place, x, y: x.mean(1), lambda subject: "", 1, by_class=False
    )
    monkeypatch.setattr("glocal.explaining.checks.METHODS", {"features": brightness})
    monkeypatch.setattr("glocal.explaining.methods.METHODS", {"features": brightness})
    checks = run_checks(Explainer(subject_of(Finder(), (32, 32))), "features", red_squares(4), None)
    assert checks.correlation == pytest.approx(1)
    assert "hardly depends on what was learned" in checks.warnings[0]


def test_of_several_labels_each_class_has_a_probability_of_its_own():
    """Occlusion and the curves read the class alone: what raises another one changes nothing."""
    network = Finder()
    with torch.no_grad():
        network.filter.weight[1] = 0.5
    subject = replace(subject_of(network, (32, 32)), multi_label=True)
    x = red_squares(1).pictures
    alone = subject.probabilities(x).detach()
    assert alone.sum() != pytest.approx(1)
    assert torch.equal(alone, network(x).sigmoid())
    (of_one,) = Explainer(subject).maps("occlusion", x, torch.tensor([0]))
    (of_share,) = Explainer(replace(subject, multi_label=False)).maps("occlusion", x, torch.tensor([0]))
    assert not torch.allclose(of_one, of_share)


def test_what_the_weights_say_of_labels_is_heard():
    network = glocal.create_model("cct_2_3x2_32", num_classes=3)
    assert not subject_of(network).multi_label
    network.description = replace(network.description, multi_label=True)
    assert subject_of(network).multi_label


def test_shuffled_weights_are_the_same_numbers():
    network = glocal.create_model("cct_2_3x2_32")
    other = randomised(network, seed=1)
    for a, b in zip(network.parameters(), other.parameters(), strict=True):
        assert torch.equal(a.flatten().sort().values, b.flatten().sort().values)
    assert not torch.equal(network.stem[0].weight, other.stem[0].weight)


def test_verdicts_follow_from_intervals():
    assert Difference.of([0.1, 0.1, 0.12]).verdict == "better"
    assert Difference.of([-0.1, -0.1, -0.12]).verdict == "worse"
    assert Difference.of([0.5]).verdict == "cannot tell"
    assert Difference.of([0.1, -0.1]).verdict == "cannot tell"
    assert Pointing(16, 16, 0.5, 0.16).verdict == "better"
    assert Pointing(1, 16, 0.5, 0.16).verdict == "worse"
    assert Pointing(8, 16, 0.5, 0.16).verdict == "cannot tell"


@given(st.lists(st.integers(0, 9), min_size=3, max_size=30))
@law(50)
def test_rank_correlation_is_of_ranks(values):
    a = torch.tensor(values).float()
    expected = 1 if len(set(values)) > 1 else 0
    assert rank_correlation(a, a.exp()) == pytest.approx(expected)
    assert rank_correlation(a, -a) == pytest.approx(-expected)


def test_an_overlay_is_a_png_of_the_picture_s_size():
    network, preprocess = glocal.create_model("cct_2_3x2_32"), Preprocess((32, 32))
    picture = np.random.default_rng(0).integers(0, 256, (50, 80, 3), dtype=np.uint8)
    pixels = overlay(network, picture, preprocess=preprocess)
    assert Image.open(BytesIO(pixels)).size == (80, 50)
    assert overlay(explainer_of(network, preprocess), picture, preprocess=preprocess) == pixels
    with torch.inference_mode():
        assert overlay(network, picture, preprocess=preprocess, class_index=1)
