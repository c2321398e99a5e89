"""Predictions are counted, ordered and kept as a table that reads back."""

import numpy as np

from glocal.evaluation.predictions import Predictions

PREDICTIONS = Predictions(
    ("cat", "a,b", "żółw"),
    ("val/1.jpg", "val/2 2.jpg", "val/\udce9.jpg", "val/4,4.jpg"),  # \udce9: a byte of a name that is no UTF-8
    np.array([0, 1, 1, 2]),
    np.array([0, 2, 0, 0]),
    np.array([0.9, 0.4, 0.8, 0.6]),
)


def test_confusion_counts_by_truth_and_prediction():
    assert PREDICTIONS.confusion().tolist() == [[1, 0, 0], [1, 0, 1], [1, 0, 0]]


def test_the_most_confident_of_the_wrong_come_first():
    assert PREDICTIONS.most_wrong(16) == [2, 3, 1]
    assert PREDICTIONS.most_wrong(1) == [2]


def test_a_table_reads_back(tmp_path):
    PREDICTIONS.write(tmp_path / "predictions.csv")
    again = Predictions.read(tmp_path / "predictions.csv", PREDICTIONS.classes)
    assert again.paths == PREDICTIONS.paths
    for name in ("truth", "predicted", "confidence"):
        assert np.array_equal(getattr(again, name), getattr(PREDICTIONS, name))
