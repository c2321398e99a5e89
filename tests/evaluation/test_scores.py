"""Scores are what their names say."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glocal.evaluation.scores import Scores, scores

CLASSES = tuple("abcdefg")


def scored(logits, labels, k=7):
    return scores(
        torch.tensor(logits), torch.tensor(labels), classes=CLASSES[:k], paths=tuple(map(str, range(len(labels))))
    )


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(1, 60), st.integers(2, 7), st.integers(0, 2**32 - 1))
def test_scores_agree_with_a_plain_count(n, k, seed):
    rng = np.random.default_rng(seed)
    logits, labels = rng.standard_normal((n, k)).astype(np.float32), rng.integers(k, size=n)
    found = scored(logits, labels, k)
    order = np.argsort(-logits, axis=1)
    assert found.top1 == pytest.approx(np.mean(order[:, 0] == labels))
    assert found.top5 == pytest.approx(np.mean([label in row[:5] for row, label in zip(order, labels, strict=True)]))
    assert found.interval[0] <= found.top1 <= found.interval[1]
    assert found.majority == np.bincount(labels).max() / n
    assert Scores.from_json(found.to_json()) == found


def test_the_interval_is_wilsons():
    found = scored(np.eye(7, dtype=np.float32)[[0] * 100], [0] * 90 + [1] * 10)
    assert found.interval == pytest.approx((0.8256, 0.9448), abs=1e-4)  # 90 of 100


def test_macro_f1_weighs_rare_classes_like_frequent_ones():
    found = scored(np.eye(7, dtype=np.float32)[[0] * 10], [0] * 9 + [1])
    assert found.top1 == 0.9
    assert found.macro_f1 == pytest.approx((2 * 0.9 / 1.9 + 0.0) / 2)


def test_the_most_confidently_wrong_picture_is_named():
    logits = torch.tensor([[5.0, 0], [0, 1.0], [9.0, 0]])
    found = scores(logits, torch.tensor([1, 0, 0]), classes=("cat", "dog"), paths=("a.png", "b.png", "c.png"))
    assert (found.most_wrong.path, found.most_wrong.truth, found.most_wrong.predicted) == ("a.png", "dog", "cat")
    assert scores(logits[2:], torch.tensor([0]), classes=("cat", "dog"), paths=("c",)).most_wrong is None


def test_of_several_labels_the_scores_are_what_their_names_say():
    logits = torch.tensor([[2.0, 1.0, -1.0], [-1.0, -2.0, -3.0], [-1.0, 3.0, 1.0], [1.0, -1.0, -2.0]])
    hot = torch.tensor([[1.0, 1, 0], [0, 0, 0], [1, 0, 1], [1, 0, 0]])
    found = scores(logits, hot, classes=("cat", "dog", "bird"), paths=tuple("abcd"))
    assert (found.n, found.top1, found.top5) == (4, 0.5, 0.75)
    assert {row.name: row.recall for row in found.per_class} == {"cat": 2 / 3, "dog": 1.0, "bird": 1.0}
    assert found.macro_f1 == pytest.approx((0.8 + 2 / 3 + 1) / 3)
    # of cat the first two are right, and two of four share the last place; dog is second, bird first
    assert found.map == pytest.approx((((1 + 1 + 3 / 4) / 3) + 1 / 2 + 1) / 3)
    assert found.majority == 0.75
    assert (found.most_wrong.path, found.most_wrong.truth, found.most_wrong.predicted) == ("c", "cat|bird", "dog")
    assert "mean average precision" in str(found)
    assert Scores.from_json(found.to_json()) == found


def test_one_label_has_no_average_precision():
    found = scored(np.eye(7, dtype=np.float32), list(range(7)))
    assert found.map is None
    assert "precision" not in str(found)
