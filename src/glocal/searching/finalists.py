"""The table of a level's finalists, the candidates that its supernet ranks first: finalists.csv, and which of them wins."""

from collections.abc import Sequence
from pathlib import Path

from glocal.design import Architecture, cost
from glocal.files import write_whole
from glocal.searching.candidates.candidate import Candidate, format_answers
from glocal.trials.training import Trained

COLUMNS = ("place", "answers", "macs", "params", "supernet_accuracy", "accuracy", "low", "high", "n", "run", "winner")


Finalist = tuple[Candidate, Architecture, Trained]


def most_accurate(finalists: Sequence[Finalist]) -> int:
    """The index of the finalist with the highest accuracy, of equals the one with fewer multiply-adds."""
    return max(range(len(finalists)), key=lambda i: (finalists[i][2].val.chief, -cost(finalists[i][1]).macs, -i))


def write_finalists(path: Path, finalists: Sequence[Finalist], *, winner: int) -> None:
    """Writes finalists.csv: the finalists in the order that they had before, and the index of the one that wins."""
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
            "run": trained.folder.resolve().relative_to(path.parent.resolve()),
            "winner": int(i == winner),
        }
        lines.append(",".join(str(row[name]) for name in COLUMNS))
    write_whole(path, ("\n".join(lines) + "\n").encode())
