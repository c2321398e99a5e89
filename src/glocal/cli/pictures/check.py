"""The verb check."""

import json
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from glocal.cli.flags import from_settings, typed_flags
from glocal.cli.options import JSON, SOURCE, progress_bar
from glocal.command_line import command
from glocal.data.options import DataOptions
from glocal.errors import DataError
from glocal.settings import merge

if TYPE_CHECKING:
    from glocal.data import Report


@from_settings("options", DataOptions, panel="The pictures")
def check(
    data: SOURCE,
    options: dict[str, Any],
    seed: Annotated[int, typer.Option(help="Of the split.")] = 0,
    faults: Annotated[int, typer.Option(help="How many places to name for each kind of fault.")] = 5,
    as_json: JSON = False,
) -> None:
    """Check pictures for what makes numbers wrong; exit 3 where they cannot be trusted as they are."""
    from glocal.data import check as check_data

    report = check_data(data, options=merge(DataOptions(), options), seed=seed, progress=progress_bar(quiet=as_json))
    if as_json:
        print(json.dumps(report.to_json()))
    else:
        flags = typed_flags(DataOptions, options) + ([("--seed", str(seed))] if seed else [])
        _print_report(report, data, named=faults, flags=flags)
    if not report.ok:
        raise typer.Exit(DataError.exit_code)


def _print_report(report: "Report", source: str, *, named: int, flags: list[tuple[str, str] | tuple[str]]) -> None:
    """The report for a person; `flags` belong to the `glocal train` line that it ends with."""
    from glocal.data.faults import SKIPPABLE

    console = Console(highlight=False)
    console.print(source, style="bold", markup=False)
    if report.data:
        console.print(report.data.split_rule, markup=False)
    _counts(report, console)
    kinds = Counter((fault.severity, fault.kind) for fault in report.faults)
    for (severity, kind), n in sorted(kinds.items(), key=lambda item: _GRAVITY.index(item[0][0])):
        console.print(f"\n[bold]{severity}[/bold]: {kind}, {n:,}", style="red" if severity == "error" else "")
        for fault in [f for f in report.faults if (f.severity, f.kind) == (severity, kind)][:named]:
            console.print(f"  {fault}", markup=False, soft_wrap=True)
        if n > named:
            console.print(f"  ... and {n - named:,} more (--faults {n} names them)")
    if report.ok and report.data:
        from glocal.recipes import recipe, suggest

        name = suggest(report.data.source, report.data.typical_size)
        console.print("\nnext:", style="bold")
        loss = [("--loss", "sigmoid")] * report.data.multi_label
        line = command(
            "train",
            source,
            options=[("--recipe", name), ("--model", recipe(name).model), *loss, *flags],
        )
        console.print(f"  {line}", soft_wrap=True, markup=False)
    elif any(f.kind in SKIPPABLE and f.severity == "error" for f in report.faults):
        console.print("\npictures that cannot be read are left out and counted with --skip-bad-files")


_GRAVITY = ("error", "warning", "dropped", "converted", "note")


def _counts(report: "Report", console: Console) -> None:
    """Pictures of each class in each split; for many classes, only their number and range."""
    splits = [name for name, counts in report.counts.items() if counts]
    if not splits:
        return
    classes = sorted({c for counts in report.counts.values() for c in counts})
    table = Table("class" if len(classes) <= 20 else "", *splits, box=None, header_style="bold", pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    if len(classes) <= 20:
        for c in classes:
            table.add_row(Text(c), *(f"{report.counts[s].get(c, 0):,}" for s in splits))
    else:
        ranges = [list(report.counts[s].values()) for s in splits]
        table.add_row(f"{len(classes)} classes, from", *(f"{min(r):,}" for r in ranges))
        table.add_row("to", *(f"{max(r):,}" for r in ranges))
    table.add_row("pictures", *(f"{report.pictures[s]:,}" for s in splits))
    console.print(table)
    if report.sizes:
        least, middle, most = ("x".join(map(str, size)) for size in report.sizes.values())
        console.print(f"height x width: {least} the smallest, {middle} typical, {most} the largest")
