"""The verb push."""

import json
from pathlib import Path
from typing import Annotated

import typer

from glocal.cli.options import JSON


def push(
    run: Annotated[str, typer.Argument(help="Folder of a run, or a file of weights that a run wrote.")],
    repo: Annotated[str, typer.Argument(metavar="OWNER/REPO", help="Repository of the Hugging Face hub.")],
    dry_run: Annotated[
        Path | None, typer.Option(help="Write the folder that would be uploaded here, and send nothing.")
    ] = None,
    licence: Annotated[
        str | None, typer.Option(help="Licence of the weights, as the hub names it: apache-2.0.")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Make the repository private where it is new.")] = False,
    as_json: JSON = False,
) -> None:
    """Put a trained network on the Hugging Face hub: weights, architecture, labels, preprocessing and a model card."""
    from glocal.weights.hub import push as push_to_hub
    from glocal.weights.hub import write_hub_folder

    if dry_run is not None:
        files = write_hub_folder(run, dry_run, repo_id=repo, licence=licence)
        if as_json:
            print(json.dumps({"repo": repo, "files": [str(file) for file in files]}))
            return
        for file in files:
            print(f"{file}  {file.stat().st_size:,} bytes")
        print(f"nothing was sent; load it: glocal.create_model({str(dry_run)!r})")
        return
    address = push_to_hub(
        run, repo, licence=licence, private=private, echo=lambda line: None if as_json else print(line)
    )
    print(json.dumps({"repo": repo, "commit": address}) if as_json else address)
