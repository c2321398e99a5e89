"""Numbers drawn from a seed and from nothing else: the order of an epoch, the seed of a sample, one augmentation's draws.

They are hashes (splitmix64: Steele, Lea and Flood, OOPSLA 2014), so they are the same on every machine, in every process
and with every version of the libraries, and cost less than setting up a generator. No global random state is touched.
"""

import numpy as np

_GOLDEN = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_WORD = 2**64 - 1
_ROUND = 256  # DeiT's RASampler (datasets/samplers) and timm's RepeatAugSampler; specs call it floor(n / 256) * 256


def sample_seeds(seed: int, epoch: int, n: int) -> np.ndarray:
    """The seed of the sample at each position of an epoch: uint64 (n,)."""
    start = _mixed(_mixed(seed & _WORD) ^ (epoch & _WORD))
    z = np.uint64(start) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(_FIRST)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(_SECOND)
    return z ^ (z >> np.uint64(31))


def order(seed: int, epoch: int, n: int) -> np.ndarray:
    """A permutation of n: int64 (n,)."""
    # -1 - seed gives keys that have nothing to do with the seeds of the samples.
    return np.argsort(sample_seeds(-1 - seed, epoch, n), kind="stable")


def repeated(seed: int, epoch: int, n: int, *, repeats: int) -> np.ndarray:
    """Repeated augmentation, as DeiT and timm draw it: the first pictures of the epoch's order, each `repeats` times in a row.

    An epoch is floor(n / 256) * 256 samples long, as theirs is, so it shows about one picture in `repeats`; below 256 pictures,
    of which theirs would show none, it is n. int64 (samples,).
    """
    samples = n // _ROUND * _ROUND or n
    return np.repeat(order(seed, epoch, n)[: -(-samples // repeats)], repeats)[:samples]


def balanced(seed: int, epoch: int, labels: np.ndarray) -> np.ndarray:
    """As many samples as there are labels, of every class equally many, in random order: int64 (n,).

    What n leaves over goes to one class after another, epoch by epoch. Each class goes through its pictures in a shuffled order
    and begins the next one, shuffled anew, only when all were shown; epochs go on where the last one stopped.
    """
    n, classes = len(labels), np.unique(labels)
    share, over = divmod(n, len(classes))
    picks = []
    for k, label in enumerate(classes.tolist()):
        members = np.flatnonzero(labels == label)
        # Class k has got one of those left over in every round of the classes that has passed it.
        begin, end = (e * share + max(0, (e * over - k + len(classes) - 1) // len(classes)) for e in (epoch, epoch + 1))
        cycles = range(begin // len(members), -(-end // len(members)))
        # No epoch has a number of 2**32 or more, so the orders of classes are none of an epoch.
        shown = np.concatenate([members[order(seed, (k + 1 << 32) + c, len(members))] for c in cycles] or [members[:0]])
        picks.append(shown[begin - cycles.start * len(members) :][: end - begin])
    every: np.ndarray = np.concatenate(picks)
    mixed: np.ndarray = every[order(seed, epoch, n)]
    return mixed


class Draws:
    """A stream of random numbers from one 64-bit seed."""

    def __init__(self, seed: int) -> None:
        self._state = seed & _WORD

    def word(self) -> int:
        """Uniform in [0, 2**64)."""
        self._state = (self._state + _GOLDEN) & _WORD
        return _mixed(self._state)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """Uniform in [low, high)."""
        return low + (high - low) * (self.word() >> 11) * 2.0**-53

    def below(self, n: int) -> int:
        """Uniform among 0 .. n-1."""
        return (self.word() * n) >> 64


def _mixed(z: int) -> int:
    z = ((z ^ (z >> 30)) * _FIRST) & _WORD
    z = ((z ^ (z >> 27)) * _SECOND) & _WORD
    return z ^ (z >> 31)
