"""What one must know before believing the numbers of a search: how often pictures chose, and what they cannot tell."""

from shlex import quote

from glocal.reporting.search_folder import Finalist, Level, SearchFolder

BEHIND = 0.02  # accuracy by which a supernet's largest path is far behind its median one: our choice


def looks(search: SearchFolder) -> int:
    """How often the held-out pictures were looked at: once a measured candidate and trained finalist, twice a ranked network."""
    return sum(
        len(level.measured) + sum(f.accuracy is not None for f in level.finalists) + 2 * len(level.ranked)
        for level in search.levels
    )


def cautions(search: SearchFolder) -> list[str]:
    """Sentences, the gravest first."""
    told, pictures = [], max((row.n for level in search.levels for row in level.measured), default=0)
    if search.winner is None:
        told.append(
            "The search has not ended: there is no winner yet, and all below is what it had when this page was made."
        )
    if n := looks(search):
        where = {"test": ": the test split", "val": ": the source's own val", "": ", and this source set none aside"}[
            search.aside
        ]
        told.append(
            f"The {pictures:,} held-out pictures were looked at {n:,} times to choose networks, so what the winner reaches on "
            f"them is an optimistic estimate. Only pictures that took no part say how good it is{where}."
        )
    for level in search.levels:
        told += [
            f"{level.name}: {text}"
            for text in (_supernet(level), _finalists(level.finalists), _rank(level, search))
            if text
        ]
    return told


def _supernet(level: Level) -> str:
    last = level.supernet[-1] if level.supernet else {}
    largest, median = last.get("val_top1_max", 1.0), last.get("val_top1_median", 0.0)
    if largest > median - BEHIND:
        return ""
    return (
        f"the supernet's largest path ({largest:.2%}) is behind its median path ({median:.2%}): it has not been trained enough "
        "to rank networks. More --supernet-epochs help."
    )


def _finalists(finalists: list[Finalist]) -> str:
    winner = next((f for f in finalists if f.winner), None)
    if winner is None or winner.low is None:
        return ""
    near = [i for i, f in enumerate(finalists, 1) if f is not winner and f.high is not None and f.high >= winner.low]
    if not near:
        return ""
    places = ", ".join(map(str, near))
    return (
        f"the 95 % intervals of the winner and of the finalists in place {places} overlap: whether it is the best of them, these "
        "pictures cannot tell. Another seed may choose another."
    )


def _rank(level: Level, search: SearchFolder) -> str:
    if level.rank is None:
        measure = f"glocal rank {quote(str(search.path))} --level {level.name}"
        told = f"how far the supernet's order can be trusted was not measured; {measure} does."
        return told if level.finalists else ""
    gain = level.rank.get("gain") or {}
    low, high = gain.get("low"), gain.get("high")
    if low is None or high is None or low <= 0 <= high:
        return "whether the supernet ranks networks better than their multiply-adds alone do, the networks trained cannot tell."
    return (
        ""
        if low > 0
        else "the supernet ranks networks worse than their multiply-adds alone do; do not trust its order."
    )
