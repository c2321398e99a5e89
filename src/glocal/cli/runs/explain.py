"""The verb explain."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel

from glocal.cli.flags import from_settings
from glocal.cli.options import JSON
from glocal.errors import RecipeError
from glocal.explaining.settings import ExplainSettings
from glocal.settings import STRICT, Flag, merge


class NetworkOptions(BaseModel):
    """Whether a whole network is explained, alone or beside another."""

    model_config = STRICT

    network: Annotated[
        bool, Flag("Show how local and how global the whole network is, instead of explaining predictions.")
    ] = False
    against: Annotated[Path | None, Flag("With --network: a second run or file of weights, side by side.")] = None


@from_settings("settings", ExplainSettings)
@from_settings("whole", NetworkOptions, panel="The whole network")
def explain(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or a file of weights.")],
    settings: dict[str, Any],
    whole: dict[str, Any],
    paths: Annotated[
        list[str] | None, typer.Argument(help="Pictures, folders, patterns in quotes ('photos/**/*.jpg') or @FILE.")
    ] = None,
    as_json: JSON = False,
) -> None:
    """Show what a network's predictions rest on, with checks of the maps, or how local and how global the network is."""
    options = merge(NetworkOptions(), whole)
    if options.network:
        _explain_network(run, paths or [], settings, options, as_json=as_json)
        return
    if options.against is not None:
        raise RecipeError("--against has no effect without --network")
    if not paths:
        raise RecipeError("name the pictures to explain (glocal explain RUN PICTURE...), or give --network")
    from glocal.explaining.explain import explain as explain_pictures

    chosen = merge(ExplainSettings(), settings)
    values = chosen.model_dump(exclude={"no_checks"})
    found = explain_pictures(run, paths, checks=not chosen.no_checks, **values)
    if as_json:
        print(json.dumps({**found.to_json(), "page": str(found.page)}, ensure_ascii=False, default=str))
        return
    for each in found.pictures:
        print(f"{each.path}: {each.predicted} {each.probability:.1%}")
    for method, checks in found.checks.items():
        print(f"{method}: {' '.join(checks.warnings) or 'passes its checks on this network'}")
    print(f"maps read at {found.place}; page: {found.page}")


def _explain_network(
    run: Path, paths: list[str], settings: dict[str, Any], options: NetworkOptions, *, as_json: bool
) -> None:
    from glocal.explaining.networks.explanation import explain_network

    if wrong := [name for name in settings if name != "output"]:
        raise RecipeError(f"--{wrong[0].replace('_', '-')} has no effect with --network")
    found = explain_network(run, paths, against=options.against, output=settings.get("output"))
    page = str(found[0].page)
    if as_json:
        print(json.dumps({"networks": [each.to_json() for each in found], "page": page}, ensure_ascii=False))
        return
    for each in found:
        for field in each.fields:
            print(f"{each.name} {field.path}: 90 % of the gradient in {field.effective} px")
        for layer in each.distances:
            heads = ", ".join(f"{pixels:.0f}" for pixels in layer.pixels)
            print(f"{each.name} {layer.path}: mean attention distance {heads} px (equal: {layer.uniform:.0f})")
        if each.no_attention:
            print(f"{each.name}: no attention distances: {each.no_attention}")
    print(f"page: {page}")
