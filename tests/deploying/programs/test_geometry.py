"""The preprocessing inside an exported file against `Preprocess`, on pictures of any size; no network is needed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from glocal.data.batches.preprocess import Preprocess
from glocal.deploying import forms
from glocal.deploying.runtimes import open_model
from strategies import law

HOW = {
    "crop": Preprocess((24, 24), crop_pct=0.875),
    "odd": Preprocess((17, 24), crop_pct=0.9, interpolation="bilinear"),
    "squash": Preprocess((24, 20), crop_pct=0.8, aspect="squash"),
    "grey": Preprocess((16, 16), mean=(0.5,), std=(0.5,)),
    "nearest": Preprocess((16, 16), interpolation="nearest"),
}


def smooth(h, w, seed=0):
    """A picture without the noise of single pixels, as photographs are."""
    noise = np.random.default_rng(seed).integers(0, 256, (h, w, 3), np.uint8)
    return np.asarray(Image.fromarray(noise).filter(ImageFilter.GaussianBlur(3)))


@pytest.fixture(scope="module")
def prepare():
    """For each preprocessing, the function from a batch of pictures to the network's input."""
    return {name: open_model(forms.preparing_onnx(how, resizes=True), "onnx") for name, how in HOW.items()}


@pytest.mark.parametrize("name", HOW)
@law(12)
@given(h=st.integers(12, 90), w=st.integers(12, 90), seed=st.integers(0, 9))
def test_a_file_prepares_pictures_as_pillow_does(prepare, name, h, w, seed):
    picture = smooth(h, w, seed)
    expected, found = HOW[name].resize(picture), prepare[name](picture[None])
    assert found.shape == (1, *expected.shape)
    off = np.abs(found[0].astype(int) - expected)
    if name == "nearest":  # on the border of two pixels it is either
        assert (off <= 1).mean() > 0.8
    else:  # one grey level where a sum lies between two, and another one where both passes round
        assert off.max() <= 2
        assert (off <= 1).mean() > 0.998


def test_a_line_of_pixels_is_cut_before_it_is_scaled(prepare):
    picture = smooth(2, 4000)
    np.testing.assert_array_equal(prepare["crop"](picture[None])[0], HOW["crop"].resize(picture))


def test_a_batch_is_prepared_picture_by_picture(prepare):
    pictures = np.stack([smooth(40, 50, seed) for seed in range(3)])
    found = prepare["crop"](pictures)
    for one, picture in zip(found, pictures, strict=True):
        np.testing.assert_array_equal(one, prepare["crop"](picture[None])[0])
