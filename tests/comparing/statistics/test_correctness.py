"""Arms that cannot be compared: each error names the arm, what was given, and what to do."""

import numpy as np
import pytest

from arms import arms
from glocal.comparing.statistics.compare import compare
from glocal.errors import ComparisonError, GlocalError

GOOD = arms(1, seeds=3, pictures=10)[0]


def spoilt(value):
    right = GOOD.astype(float)
    right[1, 7] = value
    return right


@pytest.mark.parametrize(
    ("right", "said"),
    [
        (
            GOOD[:2],
            "resnet has 2 seeds x 10 pictures and vit 3 x 10: compare the arms on the same seeds and the same pictures",
        ),
        (GOOD[:, :9], "resnet has 3 seeds x 9 pictures and vit 3 x 10"),
        (GOOD[0], r"resnet is an array of shape \(10,\): give \(seeds, pictures\)"),
        (GOOD[None], r"resnet is an array of shape \(1, 3, 10\)"),
        (GOOD[:0], "resnet has no seeds: train it at least once"),
        (GOOD[:, :1], "resnet has 1 pictures: an interval needs at least two"),
        (GOOD[:, :0], "resnet has 0 pictures"),
        (
            spoilt(np.nan),
            "resnet holds nan for seed 1, picture 7, which is not a finite number.*evaluate that run again",
        ),
        (spoilt(np.inf), "resnet holds inf for seed 1, picture 7"),
        (spoilt(3), "resnet holds 3.0 for seed 1, picture 7, which is outside 0 to 1: give 1 where it was right"),
        (spoilt(-0.1), "resnet holds -0.1 for seed 1, picture 7"),
        (GOOD.astype(str), "resnet holds values of type <U5: give booleans or fractions"),
        (GOOD.astype(object), "resnet holds values of type object"),
        ([[True, False], [True]], r"resnet is no array \(seeds, pictures\): give every seed the same pictures"),
    ],
)
def test_an_array_that_does_not_fit_is_refused(right, said):
    with pytest.raises(ComparisonError, match=said) as error:
        compare(right, GOOD, arm="resnet", baseline="vit")
    assert isinstance(error.value, GlocalError)
    assert "\n" not in str(error.value)


def test_the_baseline_is_checked_too():
    with pytest.raises(ComparisonError, match="vit holds nan for seed 1, picture 7"):
        compare(GOOD, spoilt(np.nan), arm="resnet", baseline="vit")


def test_booleans_integers_fractions_and_lists_are_the_same():
    other = arms(2, seeds=3, pictures=10)[1]
    found = {
        str(compare(right, other)) for right in (GOOD, GOOD.astype(np.uint8), GOOD.astype(np.float32), GOOD.tolist())
    }
    assert len(found) == 1
