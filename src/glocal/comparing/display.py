"""The table of a study on a terminal: an arm a row, which grows seed by seed."""

from rich.table import Table
from rich.text import Text

from glocal.comparing.result import ArmResult, StudyResult
from glocal.comparing.statistics.verdicts import Outcome, Verdict
from glocal.design.text import count

WIDE = 100
STYLES = {Outcome.BETTER: "green", Outcome.WORSE: "red", Outcome.EQUAL: "cyan"}


def table_of(result: StudyResult, *, width: int) -> Table:
    """Arms with their accuracy over the seeds, and their difference to what they are compared with, in points of top-1.

    From `WIDE` columns of the terminal on, also their multiply-adds and the difference that the paper prints.
    """
    table = Table(box=None, header_style="bold", pad_edge=False)
    wide, baselines = width >= WIDE, {pair.baseline for pair in result.study.pairs()}
    table.add_column("arm")
    for name in (
        ("MACs", "seeds", "top-1", "sd", "difference", "paper") if wide else ("seeds", "top-1", "sd", "difference")
    ):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict")
    for arm in result.arms:
        verdict = result.verdict(arm.name)
        cells = [*_accuracy(arm), _difference(verdict)]
        if wide:
            cells = [count(arm.macs), *cells, _printed(result, verdict)]
        outcome = Text("diverged", style="red") if arm.failure else _outcome(verdict, names_baseline=len(baselines) > 1)
        table.add_row(Text(arm.name), *cells, outcome)
    against = baselines.pop() if len(baselines) == 1 else "the arm in brackets"
    table.caption = f"difference: to {against}, in points of top-1, with its interval"
    table.caption_justify = "left"
    return table


def _accuracy(arm: ArmResult) -> tuple[str, ...]:
    mean = f"{arm.mean:.2%}" if arm.accuracies else ""
    spread = f"{100 * arm.seed_sd:.2f}" if arm.seed_sd is not None else ""
    return str(len(arm.accuracies)), mean, spread


def _difference(verdict: Verdict | None) -> str:
    if verdict is None:
        return ""
    low, high = verdict.interval
    return f"{100 * verdict.difference.mean:+.2f} ({100 * low:+.2f} to {100 * high:+.2f})"


def _printed(result: StudyResult, verdict: Verdict | None) -> str:
    printed = result.printed_difference(verdict) if verdict else None
    return "" if printed is None else f"{printed:+.2f}"


def _outcome(verdict: Verdict | None, *, names_baseline: bool) -> Text:
    if verdict is None:
        return Text("")
    beside = f" ({verdict.baseline})" if names_baseline else ""
    return Text(f"{verdict.outcome.value}{beside}", style=STYLES.get(verdict.outcome, ""))
