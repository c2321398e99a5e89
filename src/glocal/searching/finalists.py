"""The table of a level's finalists, the candidates that its supernet ranks first: finalists.csv, and which of them wins."""

from collections.abc import Sequence
from pathlib import Path

from glocal.design import Architecture, cost
from glocal.files import write_whole
from glocal.searching.candidates.candidate import Candidate, format_answers
from glocal.trials.training import Trained

COLUMNS = ("place", "answers", "macs", "params", "supernet_accuracy", "accuracy", "low", "high", "n", "run", "winner")


def write_finalists(path: Path, finalists: Sequence[tuple[Candidate, Architecture, Trained]]) -> int:
    """Writes finalists.csv in the order of the supernet; returns the index of the winner: the most accurate, of equals the one
    with fewer multiply-adds."""
    order = range(len(finalists))
    first = max(order, key=lambda i: (finalists[i][2].val.chief, -cost(finalists[i][1]).macs, -i))
    lines = [",".join(COLUMNS)]
    for i, (candidate, arch, trained) in enumerate(finalists):
        size, (low, high) = cost(arch), trained.val.interval
        row = {
            "place": i + 1,
            "answers": format_answers(candidate.answers),
            "macs": size.macs,
            "params": size.params,
            "supernet_accuracy": candidate.accuracy,
            "accuracy": trained.val.top1,
            "low": low,
            "high": high,
            "n": trained.val.n,
            "run": trained.folder.relative_to(path.parent),
            "winner": int(i == first),
        }
        lines.append(",".join(str(row[name]) for name in COLUMNS))
    write_whole(path, ("\n".join(lines) + "\n").encode())
    return first
