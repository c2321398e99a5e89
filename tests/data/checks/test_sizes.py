"""Pictures too small or too narrow to show anything are named by path, measured by themselves and by the others."""

from pathlib import Path

import pytest

from glocal.data import check


def named(root: Path) -> dict[str, str]:
    return {fault.path: fault.reason for fault in check(root).faults if fault.kind == "size"}


def photographs(plant, size: tuple[int, int] = (60, 80)) -> Path:
    return plant(*(f"{pet}/{i}.png" for pet in ("cat", "dog") for i in range(10)), size=size)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 40), (1, 300), (300, 1)])
def test_a_picture_of_a_few_pixels_is_named(plant, size: tuple[int, int]):
    root = photographs(plant)
    plant("cat/odd.png", size=size)
    assert list(named(root)) == ["cat/odd.png"]
    assert f"{size[0]} x {size[1]} pixels" in named(root)["cat/odd.png"]
    assert check(root).ok


@pytest.mark.parametrize("size", [(12, 300), (300, 12)])
def test_a_narrow_strip_is_named(plant, size: tuple[int, int]):
    root = photographs(plant)
    plant("cat/odd.png", size=size)
    assert "too narrow" in named(root)["cat/odd.png"]


def test_a_picture_far_smaller_than_the_others_is_named(plant):
    root = photographs(plant, (200, 300))
    plant("cat/odd.png", size=(12, 14))
    assert "too small" in named(root)["cat/odd.png"]


@pytest.mark.parametrize("size", [(8, 8), (32, 32), (16, 200), (30, 290), (300, 30)])
def test_small_and_wide_pictures_that_show_something_are_not_named(plant, size: tuple[int, int]):
    root = photographs(plant)
    plant("cat/odd.png", size=size)
    assert named(root) == {}


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (4, 4), (10, 300)])
def test_a_set_of_one_small_size_is_a_set(plant, size: tuple[int, int]):
    """The digits have 8 x 8 pixels, and a set of spectra or of text lines is narrow throughout."""
    assert named(photographs(plant, size)) == {}


def test_a_set_of_lines_is_named_once(plant):
    assert list(named(photographs(plant, (1, 300)))) == [""]


def test_the_digits_are_not_named():
    assert not [fault for fault in check("digits").faults if fault.kind == "size"]
