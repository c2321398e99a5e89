"""Augmentation is a function of the picture and the seed, and of nothing else in the process."""

import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from glocal.data import Augment
from glocal.errors import DataError

POLICIES = {
    "plain": Augment(),
    "pad": Augment(crop="pad"),
    "digits": Augment(crop="none", hflip=0, rotate=10, shift=0.1),
    "jitter": Augment(color_jitter=0.4),
    "rand": Augment(auto_augment="rand-m9-mstd0.5-inc1"),
    "auto": Augment(auto_augment="originalr-mstd0.5"),
    "trivial": Augment(auto_augment="ta_wide"),
    "cifar10": Augment(crop="pad", auto_augment="cifar10", interpolation="bicubic"),
}


@pytest.fixture
def photo(noise) -> np.ndarray:
    return noise("photo", (40, 56))


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_same_seed_gives_the_same_bytes(name: str, channels: int, photo: np.ndarray):
    def apply(seed: int) -> np.ndarray:
        return POLICIES[name].apply(photo, size=(24, 32), seed=seed, channels=channels)

    first = [apply(seed) for seed in range(8)]
    torch.rand(3), np.random.rand(3), random.random()
    assert all((apply(seed) == before).all() for seed, before in enumerate(first))
    assert all(before.shape == (channels, 24, 32) and before.dtype == np.uint8 for before in first)
    assert len({before.tobytes() for before in first}) > 2


@pytest.mark.parametrize("policy", ["rand-m10-inc1", "v0", "v0r", "3a"])
def test_the_strongest_operations_of_timms_policies_run_to_the_end(policy, photo):
    policy = Augment(auto_augment=policy)
    assert all(policy.apply(photo, size=(8, 8), seed=seed, channels=3).shape == (3, 8, 8) for seed in range(150))


def test_a_policy_that_is_none_is_named():
    with pytest.raises(DataError, match="'originals': possible are cifar10, ta_wide"):
        Augment(auto_augment="originals")


CHECKSUM = """
import zlib, numpy as np
from glocal.data import Augment
picture = np.arange(40 * 56 * 3, dtype=np.uint8).reshape(40, 56, 3)
crc = 0
for policy in ("", "rand-m9-mstd0.5-inc1", "cifar10"):
    for seed in range(5):
        crc = zlib.crc32(Augment(auto_augment=policy).apply(picture, size=(24, 32), seed=seed, channels=3).tobytes(), crc)
"""


@pytest.mark.slow
def test_another_process_gives_the_same_bytes():
    here: dict[str, int] = {}
    exec(CHECKSUM, here)
    there = subprocess.run([sys.executable, "-c", CHECKSUM + "print(crc)"], check=True, capture_output=True).stdout
    assert int(there) == here["crc"]


@pytest.mark.parametrize("name", POLICIES)
def test_the_global_random_states_are_left_as_they_were(name: str, photo: np.ndarray):
    before = random.getstate(), str(np.random.get_state()), torch.get_rng_state()
    POLICIES[name].apply(photo, size=(24, 24), seed=5, channels=3)
    assert random.getstate() == before[0]
    assert str(np.random.get_state()) == before[1]
    assert (torch.get_rng_state() == before[2]).all()


def test_the_picture_is_not_written_to(photo: np.ndarray):
    before = photo.copy()
    for augment in POLICIES.values():
        augment.apply(photo, size=photo.shape[:2], seed=1, channels=3)
    assert (photo == before).all()


def test_nothing_asked_for_is_nothing_done(photo: np.ndarray):
    augment = Augment(crop="none", hflip=0)
    assert (augment.apply(photo, size=photo.shape[:2], seed=1, channels=3) == photo.transpose(2, 0, 1)).all()


def test_a_padded_crop_is_a_window_of_the_padded_picture(photo: np.ndarray):
    padded = np.pad(photo, ((4, 4), (4, 4), (0, 0)))
    h, w = photo.shape[:2]
    windows = {padded[i : i + h, j : j + w].tobytes(): (i, j) for i in range(9) for j in range(9)}
    augment = Augment(crop="pad", pad=4, hflip=0)
    crops = [augment.apply(photo, size=(h, w), seed=seed, channels=3).transpose(1, 2, 0) for seed in range(2000)]
    seen = {windows[np.ascontiguousarray(crop).tobytes()] for crop in crops}
    assert len(seen) == 81


def test_a_flip_comes_as_often_as_asked(photo: np.ndarray):
    augment = Augment(crop="none", hflip=0.25)
    flipped = photo[:, ::-1].transpose(2, 0, 1)
    share = np.mean(
        [(augment.apply(photo, size=photo.shape[:2], seed=s, channels=3) == flipped).all() for s in range(2000)]
    )
    assert abs(share - 0.25) < 0.03


def test_a_random_part_has_the_area_and_ratio_asked_for():
    augment = Augment(scale=(0.2, 0.5), ratio=(0.5, 2.0), hflip=0)
    from glocal.data.random_streams import Draws

    for seed in range(500):
        top, left, h, w = augment._window(300, 400, Draws(seed))
        assert 0 <= top <= 300 - h
        assert 0 <= left <= 400 - w
        assert 0.19 < h * w / (300 * 400) < 0.51
        assert 0.49 < w / h < 2.05


@pytest.mark.parametrize("size", [(3, 400), (400, 3), (1, 1)])
def test_pictures_of_any_aspect_can_be_cropped(size: tuple[int, int], noise):
    for seed in range(20):
        assert Augment().apply(noise("thin", size), size=(16, 16), seed=seed, channels=3).shape == (3, 16, 16)


@pytest.mark.parametrize(("interpolation", "apart"), [("bilinear", 1), ("bicubic", 2)])
@pytest.mark.parametrize("side", [20, 64])
def test_a_part_is_resized_as_pillow_does_but_for_rounding(
    photo: np.ndarray, interpolation: str, apart: int, side: int
):
    augment = Augment(scale=(1.0, 1.0), ratio=(1.4, 1.4), hflip=0, interpolation=interpolation)
    theirs = Image.fromarray(photo).resize((side, side), Image.Resampling[interpolation.upper()])
    ours = augment.apply(photo, size=(side, side), seed=0, channels=3).transpose(1, 2, 0)
    off = np.abs(ours.astype(int) - np.asarray(theirs))
    assert off.max() <= apart
    assert (off > 0).mean() < 0.1


def test_the_number_of_threads_changes_no_byte(photo: np.ndarray):
    before = torch.get_num_threads()
    try:
        crops = []
        for threads in (1, 3):
            torch.set_num_threads(threads)
            crops.append([Augment().apply(photo, size=(160, 160), seed=s, channels=3) for s in range(5)])
    finally:
        torch.set_num_threads(before)
    assert all((one == three).all() for one, three in zip(*crops, strict=True))


def test_a_shift_moves_and_a_turn_turns():
    dot = np.zeros((21, 21, 1), np.uint8)
    dot[10, 10] = 255
    turned = [Augment(crop="none", hflip=0, rotate=30).apply(dot, size=(21, 21), seed=s, channels=1) for s in range(50)]
    assert all(image[0].argmax() == 10 * 21 + 10 for image in turned)  # the centre stays
    moved = [Augment(crop="none", hflip=0, shift=0.2).apply(dot, size=(21, 21), seed=s, channels=1) for s in range(200)]
    places = np.array([np.unravel_index(image[0].argmax(), (21, 21)) for image in moved if image.max()])
    assert np.abs(places - 10).max() in (4, 5)
    assert np.abs(places.mean(0) - 10).max() < 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"crop": "centre"},
        {"scale": (0.5, 0.1)},
        {"ratio": (0.0, 1.0)},
        {"hflip": 1.5},
        {"pad": -1},
        {"interpolation": "nearest"},
        {"auto_augment": "augmix-m3"},
    ],
)
def test_values_out_of_range_are_errors(wrong: dict):
    with pytest.raises(DataError):
        Augment(**wrong)


def test_a_policy_that_timm_does_not_know_is_an_error(photo: np.ndarray):
    with pytest.raises(DataError, match="rand-z9"):
        Augment(auto_augment="rand-z9").apply(photo, size=(24, 24), seed=0, channels=3)
