"""A picture becomes the network's input in one way, which travels with the weights."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from glocal.data import Preprocess
from glocal.data.batches.preprocess import CIFAR10_MEAN, CIFAR10_STD
from glocal.errors import DataError

sides = st.integers(1, 60)


def random_picture(h: int, w: int, c: int = 3) -> np.ndarray:
    return np.random.default_rng(h * 1000 + w).integers(0, 256, (h, w, c), dtype=np.uint8)


@given(sides, sides)
def test_a_picture_of_the_right_size_is_left_alone(h: int, w: int):
    picture = random_picture(h, w)
    picture.setflags(write=False)  # as those in memory are
    resized = Preprocess(size=(h, w)).resize(picture)
    assert (resized == picture.transpose(2, 0, 1)).all()
    assert resized.flags.writeable
    assert resized.flags.c_contiguous


@settings(deadline=None)
@given(
    sides,
    sides,
    sides,
    sides,
    st.sampled_from([1, 3]),
    st.sampled_from([1, 3]),
    st.sampled_from(["crop", "squash"]),
    st.floats(0.3, 1),
)
def test_any_picture_becomes_any_size(h, w, H, W, given_channels, channels, aspect, crop_pct):
    preprocess = Preprocess(
        size=(H, W), crop_pct=crop_pct, mean=(0.5,) * channels, std=(0.5,) * channels, aspect=aspect
    )
    resized = preprocess.resize(random_picture(h, w, given_channels))
    assert resized.shape == (channels, H, W)
    assert resized.dtype == np.uint8


@pytest.mark.parametrize("size", [(500, 375), (375, 500), (224, 224), (100, 90), (231, 257), (257, 300)])
@pytest.mark.parametrize("crop_pct", [0.875, 0.9, 0.95, 1.0])
def test_the_geometry_is_timms(size: tuple[int, int], crop_pct: float):
    from timm.data import create_transform

    timm = create_transform(224, is_training=False, crop_pct=crop_pct, interpolation="bicubic", normalize=False)
    picture = random_picture(*size)
    ours = Preprocess(size=(224, 224), crop_pct=crop_pct).resize(picture)
    assert (ours == timm(Image.fromarray(picture)).numpy()).all()


def test_a_crop_keeps_the_aspect_and_a_squash_keeps_everything():
    picture = np.zeros((40, 80, 3), np.uint8)
    picture[:, :10] = 255  # a white edge, which the centre crop cuts off
    assert Preprocess(size=(20, 20)).resize(picture).max() == 0
    assert Preprocess(size=(20, 20), aspect="squash").resize(picture).max() == 255


def test_grey_is_repeated_and_colours_are_weighed():
    grey = random_picture(8, 8, 1)
    assert (Preprocess(size=(8, 8)).resize(grey) == grey.transpose(2, 0, 1)).all()
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    assert (Preprocess(size=(4, 4), mean=(0.5,), std=(0.5,)).resize(red) == 76).all()  # 0.299 x 255


def test_normalising_is_torchvisions_and_leaves_its_input_alone():
    from torchvision.transforms.functional import normalize

    x_BCHW = torch.arange(2 * 3 * 4 * 4, dtype=torch.uint8).reshape(2, 3, 4, 4)
    before = x_BCHW.clone()
    y_BCHW = Preprocess(size=(4, 4), mean=CIFAR10_MEAN, std=CIFAR10_STD).normalise(x_BCHW)
    torch.testing.assert_close(y_BCHW, normalize(x_BCHW / 255, CIFAR10_MEAN, CIFAR10_STD))
    assert (x_BCHW == before).all()


def test_it_travels_as_plain_data():
    preprocess = Preprocess(size=(32, 48), crop_pct=0.9, mean=(0.5,), std=(0.25,), aspect="squash")
    assert Preprocess.from_json(preprocess.to_json()) == preprocess
    assert preprocess.to_json() == {
        "size": [32, 48],
        "crop_pct": 0.9,
        "interpolation": "bicubic",
        "mean": [0.5],
        "std": [0.25],
        "aspect": "squash",
    }


def test_unknown_and_missing_keys_are_errors():
    values = Preprocess(size=(32, 32)).to_json()
    with pytest.raises(DataError, match="gamma"):
        Preprocess.from_json({**values, "gamma": 2.2})
    with pytest.raises(DataError, match="size"):
        Preprocess.from_json({key: value for key, value in values.items() if key != "size"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": (0, 32)},
        {"crop_pct": 0.0},
        {"crop_pct": 1.5},
        {"interpolation": "lanczos"},
        {"aspect": "stretch"},
        {"mean": (0.5,)},
        {"mean": (0.5, 0.5), "std": (1.0, 1.0)},
        {"std": (1.0, 0.0, 1.0)},
    ],
)
def test_values_out_of_range_are_errors(wrong: dict):
    with pytest.raises(DataError):
        Preprocess(**{"size": (32, 32), **wrong})
