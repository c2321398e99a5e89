"""Every statistic that glocal prints, against independent code on random cases, to 1e-9."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.stats
import torch
from sklearn import metrics

from glocal.comparing.statistics.paired import paired_difference
from glocal.comparing.statistics.several import holm
from glocal.data.batches.loader import Batches
from glocal.data.dataset import Split
from glocal.evaluation.calibration.errors import calibration
from glocal.evaluation.scores import scores
from glocal.evaluation.selective import at_threshold, smallest_threshold
from glocal.intervals import count_interval
from glocal.searching.ranking.correlation import Pair, kendall, rank
from tries import tries

CASES = tries(20)
pytestmark = [pytest.mark.filterwarnings("ignore")]


def close(ours: object, theirs: object) -> None:
    np.testing.assert_allclose(np.asarray(ours, float), np.asarray(theirs, float), rtol=1e-9, atol=1e-9)


def cases(seed: int):
    for number in range(CASES):
        yield np.random.default_rng((seed, number))


def classified(rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor, int]:
    n, k = int(rng.integers(2, 300)), int(rng.integers(2, 12))
    labels = rng.integers(0, k, n)
    logits = rng.normal(0, 2, (n, k)) + 2 * rng.random() * np.eye(k)[labels]
    return torch.tensor(logits, dtype=torch.float32), torch.tensor(labels), k


# ----------------------------------------------------------------------------------------------------- of one network


def test_intervals_of_accuracies():
    for rng in cases(0):
        n = int(rng.integers(1, 5000))
        right = int(rng.integers(0, n + 1))
        known = scipy.stats.binomtest(right, n).proportion_ci(0.95, method="wilson")
        close(count_interval(right, n), (known.low, known.high))


def test_accuracies_losses_and_the_scores_of_classes():
    for rng in cases(1):
        logits, labels, k = classified(rng)
        names = tuple(map(str, range(k)))
        found = scores(logits, labels, classes=names, paths=("",) * len(labels))
        predicted = logits.argmax(1)
        close(found.top1, metrics.accuracy_score(labels, predicted))
        if k > 2:
            close(found.top5, metrics.top_k_accuracy_score(labels, logits.numpy(), k=min(5, k), labels=range(k)))
        close(found.loss, metrics.log_loss(labels, logits.double().softmax(1).numpy(), labels=range(k)))
        every = metrics.precision_recall_fscore_support(labels, predicted, labels=range(k), zero_division=np.nan)
        there = sorted({*labels.tolist()})
        close(found.macro_f1, metrics.f1_score(labels, predicted, labels=there, average="macro", zero_division=0))
        for row in found.per_class:
            precision, recall, f1, n = (column[int(row.name)] for column in every)
            close(np.nan if row.precision is None else row.precision, precision)
            close(np.nan if row.recall is None else row.recall, recall)
            close((row.f1, row.n), (0 if np.isnan(f1) else f1, n))
            if row.n:
                close(row.recall_interval, scipy.stats.binomtest(row.right, row.n).proportion_ci(0.95, "wilson"))


def test_several_labels_a_picture():
    for rng in cases(2):
        n, k = int(rng.integers(3, 200)), int(rng.integers(2, 8))
        hot = (rng.random((n, k)) < 0.3).astype(int)
        hot[0] = 1
        logits = torch.tensor(rng.normal(0, 1.5, (n, k)) + hot, dtype=torch.float32)
        found = scores(logits, torch.tensor(hot), classes=tuple(map(str, range(k))), paths=("",) * n)
        p = logits.double().sigmoid().numpy()
        # average precision without scikit-learn: the mean precision at each place that holds a picture of the class
        places = [np.flatnonzero(hot[np.argsort(-p[:, j], kind="stable"), j]) + 1 for j in range(k)]
        if all(len(np.unique(p[:, j])) == n for j in range(k)):
            close(found.map, np.mean([np.mean(np.arange(1, len(at) + 1) / at) for at in places]))
        close(found.macro_f1, metrics.f1_score(hot, p > 0.5, average="macro", zero_division=0))
        close(found.loss, np.mean([metrics.log_loss(hot[:, j], p[:, j], labels=[0, 1]) for j in range(k)]))


def test_calibration():
    for rng in cases(3):
        logits, labels, _ = classified(rng)
        found = calibration(logits, labels)
        p = logits.double().softmax(1).numpy()
        confidence, right = p.max(1), p.argmax(1) == labels.numpy()
        edges = np.linspace(0, 1, 16)
        ece = 0.0
        for low, high in pairwise(edges):
            inside = (confidence > low) & (confidence <= high)
            if inside.any():
                ece += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
        close(found.ece, ece)
        close(found.nll, -np.log(p[np.arange(len(labels)), labels]).mean())
        close(found.brier, ((p - np.eye(p.shape[1])[labels]) ** 2).sum(1).mean())


def test_calibration_as_torchmetrics_has_it():
    functional = pytest.importorskip("torchmetrics.functional.classification")
    for rng in cases(4):
        logits, labels, k = classified(rng)
        known = functional.multiclass_calibration_error(logits.double().softmax(1), labels, num_classes=k, n_bins=15)
        # torchmetrics counts in single precision and leaves 0 and 1 to other bins
        np.testing.assert_allclose(calibration(logits, labels).ece, float(known), atol=2e-6)


def test_thresholds():
    for rng in cases(5):
        logits, labels, k = classified(rng)
        found = scores(logits, labels, classes=tuple(map(str, range(k))), paths=("",) * len(labels)).predictions
        right = found.truth == found.predicted
        threshold = float(rng.choice(found.confidence))
        kept = found.confidence >= threshold
        at = at_threshold(found, threshold)
        close((at.coverage, at.accuracy), (kept.mean(), right[kept].mean()))
        reaching = []
        for t in np.unique(found.confidence):
            sure = found.confidence >= t
            low = scipy.stats.binomtest(int(right[sure].sum()), int(sure.sum())).proportion_ci(0.95, "wilson").low
            if low >= 0.3:
                reaching.append(t)
        if reaching:
            close(smallest_threshold(found, 0.3).threshold, min(reaching))


# ---------------------------------------------------------------------------------------------------- of two networks


def drawn_arms(rng: np.random.Generator, seeds: int) -> tuple[np.ndarray, np.ndarray]:
    n = int(rng.integers(5, 120))
    ease, gap = rng.normal(0.5, 1, n), rng.normal(0, 0.5)
    each = [ease + shift + rng.normal(0, 0.2, (seeds, 1)) + rng.normal(0, 1, (seeds, n)) > 0 for shift in (0, gap)]
    return each[0], each[1]


def test_two_runs_are_compared_as_in_students_paired_test_and_mcnemars():
    for rng in cases(6):
        a, b = drawn_arms(rng, 1)
        difference = paired_difference(a, b)
        d = a[0].astype(float) - b[0]
        n, only_a, only_b = len(d), int((d > 0).sum()), int((d < 0).sum())
        floor = 2 / (n + 2) ** 2
        if not 0 < only_a + only_b < n or d.var(ddof=1) / n <= floor:
            continue
        known = scipy.stats.ttest_rel(a[0].astype(float), b[0].astype(float))
        close(difference.interval(0.95), np.clip(known.confidence_interval(0.95), -1, 1))
        if 1e-12 < known.pvalue < 1 - 1e-9:
            close(difference.p_value, known.pvalue)
        chi2 = (only_a - only_b) ** 2 / (only_a + only_b)  # McNemar's statistic, without a correction
        close(known.statistic**2, (n - 1) * chi2 / (n - chi2))


def test_mcnemars_statistic_as_statsmodels_has_it():
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    for rng in cases(7):
        a, b = (arm[0] for arm in drawn_arms(rng, 1))
        d = a.astype(float) - b
        if not d.any() or d.var(ddof=1) / len(d) <= 2 / (len(d) + 2) ** 2:
            continue
        table = [[(a & b).sum(), (a & ~b).sum()], [(~a & b).sum(), (~a & ~b).sum()]]
        chi2, n = tables.mcnemar(table, exact=False, correction=False).statistic, len(d)
        found = paired_difference(a[None], b[None])
        close(found.mean**2 / found.variance, (n - 1) * chi2 / (n - chi2))


def crossed(d: np.ndarray, alpha: float) -> tuple[float, float, float]:
    """Variance, degrees of freedom and half of the interval of the mean of (seeds, pictures), from sums over all cells."""
    k, n = d.shape
    seed_means, picture_means, mean = d.mean(1), d.mean(0), d.mean()
    ms_seed = n * sum((m - mean) ** 2 for m in seed_means) / (k - 1)
    ms_picture = k * sum((m - mean) ** 2 for m in picture_means) / (n - 1)
    cells = sum((d[s, i] - seed_means[s] - picture_means[i] + mean) ** 2 for s in range(k) for i in range(n))
    ms_rest = cells / ((k - 1) * (n - 1))
    variance = max((ms_seed + max(ms_picture - ms_rest, 0)) / (k * n), 2 / (k * (n + 2) ** 2))
    by_seeds = ms_seed / (k * n)
    upper = by_seeds * (k - 1) / scipy.stats.chi2.ppf(alpha**0.5, k - 1)
    rest = variance - by_seeds
    df = min((upper + rest) ** 2 / (upper**2 / (k - 1) + rest**2 / (n - 1)), n - 1)
    return variance, df, scipy.stats.t.ppf(1 - alpha / 2, df) * variance**0.5


def test_arms_of_several_seeds_are_compared_over_seeds_and_pictures():
    for rng in cases(8):
        a, b = drawn_arms(rng, int(rng.integers(2, 6)))
        d = a.astype(float) - b
        found = paired_difference(a, b)
        for level in (0.95, 0.99):
            variance, df, half = crossed(d, 1 - level)
            close((found.mean, found.variance, found.df(level)), (d.mean(), variance, df))
            close(found.interval(level), (max(-1, d.mean() - half), min(1, d.mean() + half)))
        if 1e-10 < (p := found.p_value) < 1 - 1e-9:  # where the interval ends at 0
            close(crossed(d, p)[2], abs(d.mean()))


def test_mean_squares_as_statsmodels_has_them():
    formula = pytest.importorskip("statsmodels.formula.api")
    pandas = pytest.importorskip("pandas")
    anova = pytest.importorskip("statsmodels.stats.anova")
    for rng in [rng for rng, _ in zip(cases(9), range(20), strict=False)]:
        d = rng.normal(0, 0.3, (3, 12)).clip(-1, 1) * 0.5
        a = 0.5 + d
        cells = [{"seed": s, "picture": i, "y": d[s, i]} for s in range(3) for i in range(12)]
        table = anova.anova_lm(formula.ols("y ~ C(seed) + C(picture)", pandas.DataFrame(cells)).fit())
        seeds, pictures, rest = table["mean_sq"]
        found = paired_difference(a, np.full_like(a, 0.5))
        close(found.variance, max((seeds + max(pictures - rest, 0)) / 36, 2 / (3 * 14**2)))


@pytest.mark.slow
def test_holm():
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    for rng in cases(10):
        p = rng.random(int(rng.integers(1, 12))) ** 3
        close(holm(p.tolist()), multitest.multipletests(p, method="holm")[1])


# --------------------------------------------------------------------------------------------------------- of rankings


def test_rank_correlations():
    for rng in cases(11):
        n = int(rng.integers(3, 60))
        x, y = np.round(rng.random(n), 1), np.round(rng.random(n), 1)
        if not np.ptp(x) or not np.ptp(y):
            continue
        close(kendall(x.tolist(), y.tolist()), scipy.stats.kendalltau(x, y).statistic)
        macs = rng.permutation(n)
        found = rank([Pair(*each) for each in zip(x, y, macs.tolist(), strict=True)], resamples=10)
        close(found.tau.value, scipy.stats.kendalltau(x, y).statistic)
        close(found.tau_macs.value, scipy.stats.kendalltau(macs, y).statistic)
        close(found.rho, scipy.stats.pearsonr(scipy.stats.rankdata(x), scipy.stats.rankdata(y)).statistic)


# --------------------------------------------------------------------------------------------- each picture counts once


def test_each_picture_is_counted_once_under_any_batch_size(split_of):
    for n in (1, 2, 7, 30):
        split: Split = split_of(n)
        for batch_size in range(1, n + 2):
            for threads in (0, 3):
                batches = Batches(
                    split, batch_size=batch_size, seed=0, epoch=0, train=False, transform=first_pixel, drop_last=False,
                    threads=threads,
                )  # fmt: skip
                pictures, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
                assert pictures.flatten().tolist() == list(range(n))
                assert labels.tolist() == split.labels.tolist()


def first_pixel(picture: np.ndarray, seed: int) -> np.ndarray:
    return picture[:1, :1, :1].reshape(1, 1, 1)


@pytest.fixture
def split_of():
    def make(n: int) -> Split:
        pixels = tuple(np.full((2, 2, 3), i, np.uint8) for i in range(n))
        return Split("val", labels=np.arange(n) % 3, rows=(None,) * n, store=None, pixels=pixels, groups=None)

    return make
