"""The verbs about pictures: check and shard."""

import json
import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from glocal.cli.options import FRACTION, GROUP, JSON, SKIP, reading
from glocal.errors import DataError

if TYPE_CHECKING:
    from glocal.data import Report


SOURCE = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="Pictures: a folder, a table (.csv, .parquet), tar shards, a Hugging Face data set on disk, or `digits`.",
    ),
]


def check(
    data: SOURCE,
    val_fraction: FRACTION = None,
    skip_bad_files: SKIP = False,
    group_by: GROUP = None,
    seed: Annotated[int, typer.Option(help="Of the split.")] = 0,
    faults: Annotated[int, typer.Option(help="How many places to name for each kind of fault.")] = 5,
    as_json: JSON = False,
) -> None:
    """Check pictures for what makes numbers wrong; exit 3 where it cannot be trusted as it is."""
    from glocal.data import check as check_data

    report = check_data(
        data,
        seed=seed,
        val_fraction=val_fraction,
        skip_bad_files=skip_bad_files,
        group_by=group_by,
        progress=reading(quiet=as_json),
    )
    if as_json:
        print(json.dumps(report.to_json(), ensure_ascii=False))
    else:
        options = {"--val-fraction": val_fraction, "--group-by": group_by, "--seed": seed or None}
        words = [str(word) for pair in options.items() if pair[1] is not None for word in pair]
        _tell(report, data, named=faults, words=words + ["--skip-bad-files"] * skip_bad_files)
    if not report.ok:
        raise typer.Exit(DataError.exit_code)


def shard(
    data: SOURCE,
    out: Annotated[Path, typer.Argument(help="A new folder, or an empty one.")],
    size_mb: Annotated[float, typer.Option(help="No shard is larger, in millions of bytes.")] = 256,
    resize: Annotated[
        int | None,
        typer.Option(help="Scale pictures down to this many pixels of their shorter side, and encode them anew."),
    ] = None,
    val_fraction: FRACTION = None,
    skip_bad_files: SKIP = False,
    group_by: GROUP = None,
    seed: Annotated[int, typer.Option(help="Of the split, and of the order in the shards.")] = 0,
    as_json: JSON = False,
) -> None:
    """Check pictures and write them as tar shards (WebDataset), which a slow disk or a network reads faster than files."""
    from glocal.data import check as check_data
    from glocal.data import write_shards

    told = reading(quiet=as_json)
    report = check_data(
        data, seed=seed, val_fraction=val_fraction, skip_bad_files=skip_bad_files, group_by=group_by, progress=told
    )
    checked = report.opened()
    written = write_shards(checked, out, size_mb=size_mb, resize=resize, seed=seed, progress=told)
    if as_json:
        print(json.dumps(written.to_json(), ensure_ascii=False))
        return
    console = Console(highlight=False)
    console.print(checked.split_rule, markup=False)
    dropped = sum(fault.severity == "dropped" for fault in report.faults)
    if dropped:
        console.print(f"left out because they cannot be read: {dropped:,} (glocal check names them)")
    for split, n in written.pictures.items():
        shards = written.shards[split]
        console.print(f"{split}: {n:,} pictures in {shards:,} shard{'s' * (shards > 1)}")
    kept = (
        f"{written.encoded:,} encoded anew, the others as they were" if written.encoded else "their bytes as they were"
    )
    console.print(f"{written.size_bytes:,} bytes in {written.folder}; {kept}", markup=False, soft_wrap=True)
    console.print("\nnext:", style="bold")
    console.print(f"  {shlex.join(['glocal', 'check', written.folder])}", soft_wrap=True, markup=False)


def _tell(report: "Report", source: str, *, named: int, words: list[str]) -> None:
    """The report for a person; `words` are the options that belong to the `glocal train` line it ends with."""
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
        from glocal.training.recipes import RECIPES, suggest

        recipe = suggest(report.data.source, report.data.typical_size)
        console.print("\nnext:", style="bold")
        loss = ["--loss", "sigmoid"] * report.data.multi_label
        line = ["glocal", "train", source, "--recipe", recipe, "--model", RECIPES[recipe].model, *loss, *words]
        console.print(f"  {shlex.join(line)}", soft_wrap=True, markup=False)
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
