"""Average precision and intersection over union on cases whose values are known, and against pycocotools where it is there."""

import contextlib
import io

import numpy as np
import pytest
from measures import AveragePrecision, Boxes, MeanIoU, Trained, interval, matched, overlaps, resampled, table, verdict

TRUE = np.array([[0, 0, 10, 10], [20, 20, 40, 40]], float)
ONES = np.ones(1, int)


def picture(found, scores, found_labels, *, boxes=TRUE, labels=(1, 2)):
    return Boxes(
        boxes,
        np.array(labels),
        np.array(found, float).reshape(-1, 4),
        np.array(found_labels, int),
        np.array(scores, float),
    )


def test_overlaps_of_known_boxes():
    a = np.array([[0, 0, 10, 10], [0, 0, 0, 0]], float)
    b = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [50, 50, 60, 60]], float)
    np.testing.assert_allclose(overlaps(a, b), [[1, 1 / 3, 0], [0, 0, 0]])


def test_the_true_boxes_themselves_have_an_ap_of_one_and_nothing_found_has_zero():
    assert AveragePrecision([picture(TRUE, [0.9, 0.8], [1, 2])], [1, 2])(ONES) == pytest.approx(1)
    assert AveragePrecision([picture([], [], [])], [1, 2])(ONES) == 0
    assert AveragePrecision([picture(TRUE, [0.9, 0.8], [2, 1])], [1, 2])(ONES) == 0, "right places, wrong classes"


def test_a_box_that_overlaps_by_six_tenths_counts_at_three_of_ten_thresholds():
    found = [[0, 0, 10, 6.2], TRUE[1]]  # 0.62: at 0.50, 0.55 and 0.60
    assert AveragePrecision([picture(found, [0.9, 0.8], [1, 2])], [1])(ONES) == pytest.approx(0.3)


def test_a_false_box_with_a_higher_score_halves_the_precision():
    found = [[60, 60, 70, 70], TRUE[0]]
    assert AveragePrecision([picture(found, [0.9, 0.8], [1, 1])], [1])(ONES) == pytest.approx(0.5)
    assert AveragePrecision([picture(found, [0.8, 0.9], [1, 1])], [1])(ONES) == pytest.approx(1)


def test_a_true_box_is_found_once():
    hits = matched(TRUE[:1], np.stack([TRUE[0], TRUE[0]]))
    assert hits[:, 0].all()
    assert not hits[:, 1].any()


def test_half_of_the_objects_found_gives_the_recalls_up_to_a_half():
    pictures = [picture(TRUE[:1], [0.9], [1]), picture([], [], [])]
    assert AveragePrecision(pictures, [1])(np.ones(2, int)) == pytest.approx(51 / 101)  # recalls 0.00 to 0.50


def random_pictures(n=12, seed=0):
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        corners, sides = rng.integers(0, 60, (int(rng.integers(0, 4)), 2)), rng.integers(8, 30, 2)
        boxes = np.concatenate((corners, corners + sides), 1).astype(float)
        noisy = np.concatenate(
            (boxes + rng.normal(0, 2, boxes.shape), rng.uniform(0, 40, (2, 4)) + np.array([0, 0, 40, 40]))
        )
        labels = rng.integers(1, 4, len(boxes))
        guesses = np.where(rng.random(len(noisy)) < 0.8, np.concatenate((labels, [1, 2])), 3)
        found.append(Boxes(boxes, labels, noisy, guesses, rng.random(len(noisy))))
    return found


def test_pictures_counted_twice_are_the_same_as_pictures_that_are_there_twice():
    pictures = random_pictures()
    times = np.random.default_rng(1).integers(0, 3, len(pictures))
    repeated = [each for each, n in zip(pictures, times, strict=True) for _ in range(n)]
    counted = AveragePrecision(pictures, [1, 2, 3])(times)
    assert counted == pytest.approx(AveragePrecision(repeated, [1, 2, 3])(np.ones(len(repeated), int)))
    assert 0.05 < counted < 0.95


@pytest.mark.parametrize("seed", range(5))
def test_ap_is_that_of_pycocotools(seed):
    coco, cocoeval = pytest.importorskip("pycocotools.coco"), pytest.importorskip("pycocotools.cocoeval")
    pictures = random_pictures(20, seed)

    def entry(i, box, label):
        x0, y0, x1, y1 = map(float, box)
        size = [x0, y0, x1 - x0, y1 - y0]
        return {"image_id": i, "category_id": int(label), "bbox": size, "area": size[2] * size[3], "iscrowd": 0}

    truth = [entry(i, *pair) for i, p in enumerate(pictures) for pair in zip(p.boxes, p.labels, strict=True)]
    found = [
        {**entry(i, box, label), "score": float(score)}
        for i, p in enumerate(pictures)
        for box, label, score in zip(p.found, p.found_labels, p.scores, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        data = coco.COCO()
        data.dataset = {
            "info": {},
            "images": [{"id": i} for i in range(len(pictures))],
            "annotations": [{"id": i + 1, **each} for i, each in enumerate(truth)],
            "categories": [{"id": k} for k in (1, 2, 3)],
        }
        data.createIndex()
        run = cocoeval.COCOeval(data, data.loadRes(found), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    assert AveragePrecision(pictures, [1, 2, 3])(np.ones(len(pictures), int)) == pytest.approx(run.stats[0], abs=1e-9)


def test_mean_iou_of_known_counts():
    right, wrong, missed = np.array([[6, 2], [3, 0]]), np.array([[1, 1], [0, 0]]), np.array([[1, 1], [0, 0]])
    measure = MeanIoU(right, wrong, missed)
    assert measure(np.ones(2, int)) == pytest.approx((9 / 11 + 2 / 4) / 2)
    assert measure(np.array([0, 1])) == 1, "a class that is nowhere does not count"


def test_intervals_are_those_of_a_mean_and_of_paired_pictures():
    """With one class, intersection over union of pictures of one size is a mean of shares."""
    shares = np.random.default_rng(0).integers(20, 80, 400)
    one = MeanIoU(shares[:, None], 100 - shares[:, None], 0 * shares[:, None])
    other = MeanIoU(shares[:, None] - 2, 102 - shares[:, None], 0 * shares[:, None])
    a, b = resampled(one), resampled(other)
    found, half = interval(a), 1.96 * shares.std() / 100 / 20
    assert found.value == pytest.approx(shares.mean() / 100)
    assert (found.value - found.low, found.high - found.value) == pytest.approx((half, half), rel=0.15)
    paired = interval(a - b)
    assert (paired.value, paired.low, paired.high) == pytest.approx((0.02, 0.02, 0.02))
    assert [verdict(interval(each)) for each in (a - b, b - a, a - a)] == ["better", "worse", "cannot tell"]


def test_the_table_compares_with_the_baseline_and_with_its_own_from_scratch():
    def measured(share):
        n = np.full((30, 1), share)
        return MeanIoU(n, 100 - n, 0 * n)

    shares = {("a", "scratch"): 20, ("b", "scratch"): 20, ("a", "pretrained"): 50, ("b", "pretrained"): 40}
    rows = table(
        [Trained(*key, 7, measured(share)) for key, share in shares.items()], title="mIoU", baseline="a"
    ).split("\n")
    assert rows[2] == "| `a` | scratch | 7 | 20.0 (20.0 to 20.0) | - |  | - |  |"
    assert rows[3].split(" | ")[4:6] == ["+0.0 (+0.0 to +0.0)", "cannot tell"]
    assert (
        rows[5]
        == "| `b` | pretrained | 7 | 40.0 (40.0 to 40.0) | -10.0 (-10.0 to -10.0) | worse | +20.0 (+20.0 to +20.0) | better |"
    )
