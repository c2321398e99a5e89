"""The boxes and masks of the made pictures are exact, and what is written is what is read."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from scenes import CLASSES, SIDE, SIDES, make, make_scene, mask_of, outline, read, run_lengths

from strategies import law


def scene(seed: int, n: int = 3):
    """White objects on black, so that the pixels themselves say where the objects are."""
    objects = [(np.full((8, 8, 3), 255, np.uint8), 1 + i % 4) for i in range(n)]
    return make_scene(objects, np.zeros((SIDE, SIDE, 3), np.uint8), np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(20))
def test_masks_are_the_pixels_that_the_objects_changed(seed):
    found = scene(seed)
    assert found.masks
    changed = found.picture.any(2)
    assert np.array_equal(changed, np.logical_or.reduce(found.masks))
    assert sum(int(mask.sum()) for mask in found.masks) == changed.sum(), "objects do not cover one another"
    assert np.array_equal(found.pixel_classes > 0, changed)
    for mask, label in zip(found.masks, found.labels, strict=True):
        assert (found.pixel_classes[mask] == label).all()


@pytest.mark.parametrize("seed", range(20))
def test_boxes_are_the_smallest_around_the_masks(seed):
    found = scene(seed)
    for mask, box in zip(found.masks, found.boxes, strict=True):
        left, top, right, bottom = box.astype(int)
        assert mask[top:bottom, left:right].sum() == mask.sum(), "nothing is outside"
        inside = mask[top:bottom, left:right]
        for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]):
            assert edge.any(), "no side can move in"
        assert max(right - left, bottom - top) <= SIDES[1]


def test_a_picture_without_objects_has_no_boxes():
    found = scene(0, n=0)
    assert found.boxes.shape == (0, 4)
    assert not found.picture.any()


def test_outlines_are_neither_empty_nor_whole_squares():
    shapes = [outline(40, np.random.default_rng(seed)) for seed in range(30)]
    assert all(0.3 < shape.mean() < 0.9 and not shape[0, 0] for shape in shapes)
    assert len({shape.tobytes() for shape in shapes}) == 30


@law(60)
@given(arrays(bool, st.tuples(st.integers(1, 7), st.integers(1, 7))))
def test_run_lengths_give_the_mask_back(mask):
    lengths = run_lengths(mask)
    assert sum(lengths) == mask.size
    assert all(n > 0 for n in lengths[1:])
    assert np.array_equal(mask_of(lengths, list(mask.shape)), mask)


def test_what_is_written_is_what_is_read(sources, tmp_path):
    for folder in ("a", "b"):
        make(sources / "cifar", sources / "photos", tmp_path / folder, n=6, split="val", seed=3)
    examples, names = read(tmp_path / "a", "val")
    assert names == list(CLASSES)
    assert len(examples) == 6
    stored = json.loads((tmp_path / "a" / "val" / "annotations.json").read_text())
    assert (tmp_path / "b" / "val" / "annotations.json").read_text() == json.dumps(stored), (
        "the same seed, the same pictures"
    )
    for i, example in enumerate(examples):
        mine = [each for each in stored["annotations"] if each["image_id"] == i + 1]
        assert example.labels.tolist() == [each["category_id"] for each in mine]
        classes = np.zeros((SIDE, SIDE), np.uint8)
        for each, box in zip(mine, example.boxes.tolist(), strict=True):
            mask = mask_of(each["segmentation"]["counts"], each["segmentation"]["size"])
            assert mask.sum() == each["area"]
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            assert box == [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
            classes[mask] = each["category_id"]
        assert np.array_equal(classes, example.pixel_classes)
        again = np.array(Image.open(tmp_path / "b" / "val" / "images" / f"{i:04}.png"))
        assert np.array_equal(again, example.picture)
