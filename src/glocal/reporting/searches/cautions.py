"""What a reader must know before trusting the numbers of a search: how often pictures were used, and what they cannot tell."""

from glocal.command_line import command
from glocal.reporting.searches.folder import SearchFolder
from glocal.reporting.searches.level_folder import Finalist, LevelFolder

FAR_BEHIND = 0.02  # accuracy by which a supernet's largest path must not be below its median one: our choice


def evaluations(search: SearchFolder) -> int:
    """How often networks were evaluated on the held-out pictures to be chosen among: once for each candidate and trained
    finalist, and for each network of `glocal rank` by the supernet and after each of its trainings."""
    return sum(
        len(level.evaluated)
        + sum(f.accuracy is not None for f in level.finalists)
        + (1 + level.rank.seeds if level.rank else 0) * len(level.ranked)
        for level in search.levels
    )


def cautions(search: SearchFolder) -> list[str]:
    """Sentences, the most important first."""
    sentences = []
    pictures = max((row.n for level in search.levels for row in level.evaluated), default=0)
    if search.winner is None:
        sentences.append(
            "The search has not ended: there is no winner yet, and everything below is as it was when this page was made."
        )
    if n := evaluations(search):
        unused = {
            "test": ": the test split",
            "val": ": the source's own val",
            "": ", and this source has no others",
        }[search.unused_split]
        sentences.append(
            f"The {pictures:,} held-out pictures were used {n:,} times to choose among networks, so the winner's accuracy on "
            f"them is optimistic. Only pictures that took no part tell how good it is{unused}."
        )
    for level in search.levels:
        sentences += [
            f"{level.name}: {text}"
            for text in (_supernet(level), _finalists(level.finalists), _rank(level, search))
            if text
        ]
    return sentences


def _supernet(level: LevelFolder) -> str:
    last = level.supernet[-1] if level.supernet else {}
    largest, median = last.get("val_top1_max", 1.0), last.get("val_top1_median", 0.0)
    if largest > median - FAR_BEHIND:
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
        f"the 95 % intervals of the winner and of the finalists in place {places} overlap: these pictures cannot tell whether it "
        "is the best of them. Another seed may choose another."
    )


def _rank(level: LevelFolder, search: SearchFolder) -> str:
    if level.rungs:
        return ""
    if level.rank is None:
        measure = command("rank", search.path, options=[("--level", level.name)])
        text = f"how far the supernet's order can be trusted was not measured; {measure} measures it."
        return text if level.finalists else ""
    low, high = level.rank.gain.low, level.rank.gain.high
    if low is None or high is None or low <= 0 <= high:
        return (
            "these networks cannot tell whether the supernet ranks networks better than their multiply-adds alone do."
        )
    if low > 0:
        return ""
    return "the supernet ranks networks worse than their multiply-adds alone do; do not trust its order."
