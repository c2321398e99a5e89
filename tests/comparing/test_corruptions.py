"""The corruptions of ImageNet-C, as laws: stronger means further from the picture, and nothing but the seed decides."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import convolve, gaussian_filter

from glocal.comparing.corruptions import CORRUPTIONS, SEVERITIES, Corrupted, corrupt
from glocal.comparing.corruptions.blur import convolved, disc, streak
from glocal.comparing.corruptions.picture import Strength
from glocal.data import Preprocess
from glocal.errors import ComparisonError


def picture(seed: int, h: int = 32, w: int = 32, channels: int = 3) -> np.ndarray:
    """A picture with edges and shades, as photographs have."""
    rng = np.random.default_rng(seed)
    shades = gaussian_filter(rng.random((h, w, channels)), (h / 8, w / 8, 0))
    shades = (shades - shades.min()) / max(np.ptp(shades), 1e-9)
    rows, columns = np.mgrid[:h, :w]
    shades[(rows - h / 2) ** 2 + (columns - w / 3) ** 2 < (h / 5) ** 2] *= 0.4
    return np.rint(20 + 200 * shades).astype(np.uint8)


def distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b).mean())


def test_there_are_the_fifteen_of_imagenet_c():
    assert len(CORRUPTIONS) == 15


@pytest.mark.parametrize("side", [32, 56])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_higher_severity_is_further_from_the_picture(name, side):
    pictures = [picture(seed, side, side) for seed in range(12)]
    far = [
        np.mean([distance(corrupt(x, name, severity=severity, seed=i), x) for i, x in enumerate(pictures)])
        for severity in SEVERITIES
    ]
    assert all(a < b for a, b in pairwise(far)), far
    assert far[0] > 0.3


@settings(deadline=None, max_examples=60)
@given(
    name=st.sampled_from([*CORRUPTIONS]),
    severity=st.sampled_from(SEVERITIES),
    seed=st.integers(0, 2**64 - 1),
    h=st.integers(1, 40),
    w=st.integers(1, 40),
    channels=st.sampled_from([1, 3]),
    level=st.sampled_from([0, 128, 255, None]),
)
def test_any_picture_keeps_its_shape_and_equal_seeds_give_equal_pixels(name, severity, seed, h, w, channels, level):
    x = picture(seed % 1000, h, w, channels) if level is None else np.full((h, w, channels), level, np.uint8)
    before = x.copy()
    y = corrupt(x, name, severity=severity, seed=seed)
    assert (y.shape, y.dtype) == (x.shape, np.uint8)
    assert np.array_equal(y, corrupt(x, name, severity=severity, seed=seed))
    assert np.array_equal(x, before)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_no_corruption_leaves_a_picture_as_it_was(name):
    for seed in range(8):
        assert not np.array_equal(corrupt(picture(seed), name, severity=1, seed=seed), picture(seed))


RANDOM = sorted(set(CORRUPTIONS) - {"defocus_blur", "zoom_blur", "brightness", "contrast", "pixelate", "jpeg"})


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_another_seed_gives_another_pattern_where_there_is_one(name):
    first, second = (corrupt(picture(0), name, severity=3, seed=seed) for seed in (1, 2))
    assert np.array_equal(first, second) == (name not in RANDOM)


def test_the_global_random_state_is_left_alone():
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    for name in CORRUPTIONS:
        corrupt(picture(0), name, severity=2, seed=5)
    assert np.array_equal(np.random.get_state()[1], before)


def test_lengths_follow_the_size_of_the_picture_and_noise_its_square_root():
    small, large = Strength(2, 32 / 224), Strength(2, 1.0)
    assert small.length((1, 2, 7, 8, 9)) == pytest.approx(1)
    assert large.length((1, 2, 7, 8, 9)) == 7
    assert small.amplitude((0, 0, 0.7, 0, 0)) == pytest.approx(0.7 / 7**0.5)


@pytest.mark.parametrize("kernel", [streak(2.1, 0.4), disc(1.5), disc(0.6), streak(5, 2.0)])
def test_convolution_by_fourier_transform_is_convolution(kernel):
    x = np.random.default_rng(0).random((40, 61, 3))
    assert kernel.sum() == pytest.approx(1)
    assert np.abs(convolved(x, kernel) - convolve(x, kernel[:, :, None], mode="reflect")).max() < 1e-12


def test_brightness_keeps_hue_and_contrast_keeps_the_mean():
    x = picture(1)
    brighter = corrupt(x, "brightness", severity=1, seed=0).astype(float)
    ratio = brighter / x
    below = brighter.max(-1) < 255
    assert np.ptp(ratio[below], axis=-1).max() < 0.1
    assert corrupt(x, "contrast", severity=4, seed=0).mean((0, 1)) == pytest.approx(x.mean((0, 1)), abs=1)


def test_the_transform_resizes_as_evaluation_does_and_corrupts_what_that_gives():
    pre = Preprocess((24, 20), crop_pct=0.9)
    x = picture(0, 57, 91)
    transform = Corrupted(pre, "jpeg", 4)
    assert transform.threadsafe
    y = transform(x, 7)
    assert (y.shape, y.dtype) == ((3, 24, 20), np.uint8)
    resized = pre.resize(x).transpose(1, 2, 0)
    assert np.array_equal(y.transpose(1, 2, 0), corrupt(resized, "jpeg", severity=4, seed=7))
    assert pickle.loads(pickle.dumps(transform)) == transform
    grey = Corrupted(Preprocess((16, 16), mean=(0.5,), std=(0.5,)), "frost", 2)
    assert grey(x, 1).shape == (1, 16, 16)


@pytest.mark.parametrize(
    ("name", "severity", "message"),
    [
        ("gausian_noise", 3, "did you mean gaussian_noise"),
        ("fog", 0, "1 .mild. to 5"),
        ("", 3, "known: gaussian_noise"),
    ],
)
def test_an_unknown_corruption_or_severity_is_one_line(name, severity, message):
    with pytest.raises(ComparisonError, match=message):
        Corrupted(Preprocess((8, 8)), name, severity)
    with pytest.raises(ComparisonError, match=message):
        corrupt(picture(0), name, severity=severity, seed=0)
