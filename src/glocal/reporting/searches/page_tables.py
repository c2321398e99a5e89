"""What the page of a search shows as tables: settings, surroundings, time spent, and the commands for the winner."""

from collections.abc import Mapping
from typing import Any

from glocal.command_line import command
from glocal.passwords import without_passwords
from glocal.reporting.figures import cost_named, with_unit
from glocal.reporting.numbers import duration
from glocal.reporting.searches.folder import SearchFolder

MAX_CLASSES = 100  # classes whose names are listed
SURROUNDINGS = ("recipe", "machine", "python", "versions", "platform", "processor", "threads", "git")


def request_table(search: SearchFolder) -> dict[str, str]:
    """The pictures and settings of a search, without settings that were left open."""
    about, classes = search.about, search.about.get("classes")
    names = [str(name) for name in classes] if isinstance(classes, list) else []
    settings = {k: v for k, v in search.settings.items() if not str(k).startswith(("min_", "max_"))}
    rows = {
        "command": about.get("command"),
        "pictures": about.get("source"),
        "split": about.get("split_rule"),
        "classes": f"{len(names):,}: {', '.join(names[:MAX_CLASSES])}" if names else None,
        "limits": "; ".join(_limit(name, *ends) for name, ends in search.limits().items()) or "none",
        **_flat(settings),
    }
    return {key: without_passwords(str(value)) for key, value in rows.items() if value not in (None, "")}


def surroundings_table(search: SearchFolder) -> dict[str, str]:
    """The recipe, the machine and the versions."""
    return _flat({name: search.about.get(name) for name in SURROUNDINGS})


def time_table(search: SearchFolder) -> list[tuple[str, str, str]]:
    """Each phase with its units and the time that it took, and the sum."""
    units, spent = search.decided, search.spent_s
    rows = [(phase, f"{units[phase]:,.0f}" if phase in units else "", duration(s)) for phase, s in spent.items()]
    return [*rows, ("all", "", duration(sum(spent.values())))] if rows else []


def next_commands(search: SearchFolder) -> list[tuple[str, str]]:
    """What to do with the winner, as commands to copy."""
    folder = search.path / "winner"
    source = str(search.about.get("source") or "DATA")
    architecture, weights = folder / "architecture.yaml", folder / "weights.safetensors"
    test = command("val", weights, source, options=[("--split", search.unused_split)])
    again = command("train", source, options=[("--model", architecture), ("--seed", "1")])
    return [
        ("look at it", command("show", architecture)),
        ("train it again, on all training pictures", again),
        *([("evaluate it on pictures that took no part", test)] if search.unused_split else []),
        ("use it", command("predict", weights, "PICTURE")),
    ]


def _limit(name: str, least: float | None, most: float | None) -> str:
    title = cost_named(name).title
    if least is not None and most is not None:
        return f"{with_unit(name, least)} to {with_unit(name, most)} {title}"
    if most is not None:
        return f"at most {with_unit(name, most)} {title}"
    return f"at least {with_unit(name, least or 0)} {title}"


def _flat(values: Any, path: str = "") -> dict[str, str]:
    """Nested names and values as one table; seconds as a time."""
    if not isinstance(values, Mapping):
        return {path or "value": str(values)} if values is not None else {}
    rows: dict[str, str] = {}
    for key, value in values.items():
        name = f"{path} {key}".strip()
        if isinstance(value, Mapping):
            rows |= _flat(value, name)
        elif isinstance(value, int | float) and str(key).endswith(("_s", "seconds")):
            rows[name.removesuffix("_s").removesuffix("seconds").strip() or "time"] = duration(value)
        elif value is not None:
            rows[name] = f"{value:,}" if type(value) is int else without_passwords(str(value))
    return rows
