"""Networks of a space that stand for the others: its corners, and some that are spread over its range of multiply-adds."""

import random
from collections.abc import Callable, Iterable
from itertools import pairwise, product

from glocal.design import Architecture, cost, decide, sample
from glocal.design.space import Answers, canonical, questions, size
from glocal.errors import SearchError

_SAMPLES = 1000  # networks that are cut into quantiles, or 50 for each that is wanted, if that is more


def corners(space: Architecture) -> tuple[Answers, ...]:
    """The networks of one option throughout, as canonical answers: the first option of every question, the second, and so on; of
    a question with fewer options its last."""
    options = [len(question.options) for question in questions(space)]
    uniform = (tuple(min(i, n - 1) for n in options) for i in range(max(options, default=0)))
    return tuple(dict.fromkeys(canonical(space, answers) for answers in uniform))


def stratified_sample(
    space: Architecture, n: int, *, is_allowed: Callable[[Architecture], bool] = lambda arch: True, seed: int
) -> tuple[Answers, ...]:
    """n different networks of a space, as canonical answers, spread over the quantiles of multiply-adds; the lightest first.

    Many networks are sampled uniformly (a small space is listed whole), those that are allowed are cut into n parts by their
    multiply-adds, and one is sampled from each part. SearchError where fewer than n different networks are found.
    """
    rng = random.Random(seed)
    samples = max(_SAMPLES, 50 * n)
    if size(space) <= samples:
        every: Iterable[Answers] = product(*(range(len(q.options)) for q in questions(space)))
    else:
        every = (sample(space, rng) for _ in range(samples))
    distinct = {decide(space, answers): canonical(space, answers) for answers in every}
    by_macs = sorted((cost(arch).macs, answers) for arch, answers in distinct.items() if is_allowed(arch))
    if len(by_macs) < n:
        raise SearchError(
            f"{space.name}: {len(by_macs)} different networks are within the limits, of {len(distinct):,} sampled, and {n} are "
            "wanted"
        )
    edges = [i * len(by_macs) // n for i in range(n + 1)]
    return tuple(by_macs[rng.randrange(low, high)][1] for low, high in pairwise(edges))
