"""The verb work: this machine joins a search or a study that was started elsewhere."""

from typing import Annotated

import typer


def work(
    storage: Annotated[
        str, typer.Argument(help="Its --storage: postgresql://USER@HOST/DATABASE, journal:PATH or a path.")
    ],
    name: Annotated[str | None, typer.Option(help="Which table, where the storage has several that go on.")] = None,
    patience: Annotated[
        float, typer.Option(help="Seconds without anything to do, after which this worker leaves.")
    ] = 600.0,
) -> None:
    """Work on the trials of a search or a study that was started on another machine, until it is complete."""
    from glocal.trials.workers.joining import join

    def echo(line: str) -> None:
        typer.echo(line)

    ran = join(storage, name=name, patience_s=patience, echo=echo)
    echo(f"ran {ran:,} trials")
