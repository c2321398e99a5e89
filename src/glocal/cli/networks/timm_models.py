"""Networks of timm in the lists and pages of `glocal models` and `glocal show`: their sizes, and how they read pictures."""

import json
from typing import Any

from glocal.design.text import count
from glocal.errors import ArchitectureError

MOST = 200  # networks of a list: counting one takes up to a second


def list_timm(pattern: str) -> list[dict[str, Any]]:
    """What the list says of every network that timm lists under a pattern such as `timm:mobilenetv2*`; ArchitectureError."""
    import timm

    names = [name for name in timm.list_models(pattern.removeprefix("timm:")) if not name.startswith("glocal_")]
    if not names:
        raise ArchitectureError(f"no model of timm matches {pattern!r}; timm.list_models() lists all")
    if len(names) > MOST:
        raise ArchitectureError(
            f"{len(names):,} models of timm match {pattern!r}; give a pattern that at most {MOST} match"
        )
    return [summary(f"timm:{name}") for name in names]


def summary(name: str) -> dict[str, Any]:
    """Name, parameters, multiply-adds, picture, classes and preprocessing of a network of timm."""
    from glocal.weights.find import card_of_file
    from glocal.weights.networks.timm_architecture import TimmArchitecture
    from glocal.weights.networks.timm_creation import timm_cost

    arch = TimmArchitecture.read(name)
    size = timm_cost(arch)
    fields = {"name": arch.name, "params": size.params, "macs": size.macs, "image": list(arch.image)}
    return {**fields, "classes": arch.classes, "preprocess": card_of_file(name).preprocess}


def cells(found: dict[str, Any]) -> dict[str, str]:
    """The columns of the list."""
    c, h, w = found["image"]
    return {
        "name": found["name"],
        "weights": count(found["params"]),
        "MACs": count(found["macs"]),
        "picture": f"{c} x {h} x {w}",
        "classes": str(found["classes"]),
        "top-1": "",
        "images/s": "",
    }


def show_timm(name: str, *, as_json: bool) -> None:
    """Prints the page of a network of timm."""
    found = summary(name)
    if as_json:
        print(json.dumps(found))
        return
    said = cells(found)
    print(f"{said['name']}: {said['weights']} weights, {said['MACs']} multiply-adds for a picture of {said['picture']}")
    print(f"{said['classes']} classes; a network of timm, without words and ops")
    for key, value in found["preprocess"].items():
        print(f"  {key:<14} {value}")
