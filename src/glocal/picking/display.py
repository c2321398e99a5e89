"""The table of a pick on a terminal: a candidate a row, the pick first."""

from rich.table import Table
from rich.text import Text

from glocal.picking.result import CandidateRow, PickResult

STYLES = {"picked": "bold green", "finalist": "cyan", "raced": "", "refused": "dim"}


def table_of(result: PickResult) -> Table:
    """Candidates with their costs, accuracy where they were trained in full, and why they went."""
    table = Table(
        "candidate", "latency", "epochs", "cost", "top-1", "to the best", "why it went",
        box=None, header_style="bold", pad_edge=False,
    )  # fmt: skip
    table.columns[0].no_wrap = True
    for column in table.columns[1:6]:
        column.justify = "right"
    for row in result.rows:
        table.add_row(*map(Text, _cells(row, front=row.name in result.front)), style=STYLES[row.stage])
    table.caption = "* on the front: no faster candidate came as near to the leader of its last comparison"
    table.caption_justify = "left"
    return table


def _cells(row: CandidateRow, *, front: bool) -> tuple[str, ...]:
    difference = ""
    if row.difference is not None and row.interval is not None and row.stage != "picked":
        low, high = row.interval
        difference = f"{100 * row.difference:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
    return (
        f"{row.name}{' *' * front}",
        f"{row.footprint.p50_ms:.2f} ms" if row.footprint else "",
        str(row.epochs) if row.epochs else "",
        f"{row.seconds:.0f} s" if row.seconds else "",
        f"{row.mean:.2%}" if row.mean is not None else "",
        difference,
        "the pick" if row.stage == "picked" else row.why,
    )
