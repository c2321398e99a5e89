"""JSON Schemas of what commands print with --json, and of the JSON files of a run, inferred from what they really wrote.

An object whose examples share no key, though their values are of one kind, is a map (classes, models), and so is every
object of the same name; a key that some examples lack is optional.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from docsite.examples import Examples
from docsite.markdown import cell, code, table
from glocal.recipes.schema import Recipe

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
KINDS = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}


ELSEWHERE = {"Architecture": "an architecture as text ([the design space](../design.md))"}
RECIPE = "the fields of a recipe ([settings](settings.md#recipe))"


def schema(samples: Sequence[Any], *, maps: frozenset[str] = frozenset(), name: str = "") -> Schema:
    """The smallest schema, of the shapes known here, that all samples fit. `maps` are names of objects that are maps."""
    objects = [s for s in samples if isinstance(s, dict)]
    items = [item for s in samples if isinstance(s, list) for item in s]
    kinds = {KINDS[type(s)] for s in samples if not isinstance(s, dict | list)}
    parts: list[Schema] = [{"type": kind} for kind in sorted(kinds - ({"integer"} if "number" in kinds else set()))]
    if any(isinstance(s, list) for s in samples):
        parts.append({"type": "array", **({"items": schema(items, maps=maps)} if items else {})})
    if objects:
        parts.append(_object(objects, maps=maps, is_map=name in maps or _is_map(objects)))
    return _merged(parts)


def _merged(parts: list[Schema]) -> Schema:
    if len(parts) == 1:
        return parts[0]
    if all(set(part) == {"type"} for part in parts):
        return {"type": [part["type"] for part in parts]}
    if len(parts) == 2 and parts[0] == {"type": "null"}:
        return {**parts[1], "type": [parts[1]["type"], "null"]}
    return {"anyOf": parts}


def _is_map(samples: Sequence[dict[str, Any]]) -> bool:
    """Whether objects share no key, though all their values are of one kind."""
    filled = [{*sample} for sample in samples if sample]
    kinds = {"number" if type(v) in (int, float) else type(v).__name__ for sample in samples for v in sample.values()}
    return len(filled) > 1 and len(kinds) == 1 and not set.intersection(*filled)


def _object(samples: Sequence[dict[str, Any]], *, maps: frozenset[str], is_map: bool) -> Schema:
    if is_map:
        return {"type": "object", "additionalProperties": schema([v for s in samples for v in s.values()], maps=maps)}
    keys = dict.fromkeys(key for sample in samples for key in sample)
    properties = {key: schema([s[key] for s in samples if key in s], maps=maps, name=key) for key in keys}
    required = [key for key in keys if all(key in sample for sample in samples)]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def map_names(samples: Iterable[Any]) -> frozenset[str]:
    """Names of the objects that are maps: those whose examples, wherever they are, share no key."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    waiting = list(samples)
    while waiting:
        sample = waiting.pop()
        if isinstance(sample, dict):
            waiting += sample.values()
            for key, value in sample.items():
                if isinstance(value, dict):
                    found[key].append(value)
        elif isinstance(sample, list):
            waiting += sample
    return frozenset(name for name, objects in found.items() if _is_map(objects))


def kind(found: Schema) -> str:
    """A schema in words: "array of numbers", "text or null"."""
    if "anyOf" in found:
        return " or ".join(dict.fromkeys(kind(part) for part in found["anyOf"]))
    types = found["type"] if isinstance(found["type"], list) else [found["type"]]
    return " or ".join(f"array of {kind(found['items'])}" if t == "array" and "items" in found else t for t in types)


def keys(found: Schema, prefix: str = "") -> Iterable[tuple[str, str, str]]:
    """Every key of an object as a path, its type, and whether it is always there."""
    for part in found.get("anyOf", ()):
        yield from keys(part, prefix)
    if "items" in found:
        yield from keys(found["items"], prefix + "[]")
    if isinstance(found.get("additionalProperties"), dict):
        path = f"{prefix}.*" if prefix else "*"
        yield path, cell(kind(found["additionalProperties"])), ""
        yield from keys(found["additionalProperties"], path)
    for name, inner in found.get("properties", {}).items():
        path = f"{prefix}.{name}" if prefix else name
        there = "" if name in found["required"] else "not always"
        if name in ELSEWHERE or {*inner.get("properties", ())} == {*Recipe.model_fields}:
            yield path, ELSEWHERE.get(name, RECIPE), there
        else:
            yield path, cell(kind(inner)), there
            yield from keys(inner, path)


def is_error(printed: Any) -> bool:
    """Whether a command printed why it failed."""
    return isinstance(printed, dict) and {*printed} == {"error", "kind"}


def verb_schemas(examples: Examples) -> dict[str, Schema]:
    """The schema of each verb's object, by its name."""
    printed = {verb: [p for _, p in runs if not is_error(p)] for verb, runs in examples.printed.items()}
    maps = map_names([p for runs in printed.values() for p in runs])
    return {verb: schema(runs, maps=maps) for verb, runs in printed.items()}


def page(examples: Examples) -> str:
    """What every verb prints with --json."""
    parts = [
        "# What --json prints\n",
        "Each command prints one JSON value on standard output. The tables and schemas on this page were inferred from what the "
        "commands named below printed when this page was built. `[]` stands for each item of an array, and `*` for any key: the "
        "name of a class, a model or a word.\n",
        "A command that fails prints an object with two texts instead, `error` (the message) and `kind` (the class of the "
        "error), and ends with an exit code above 0.\n",
    ]
    for verb, found in verb_schemas(examples).items():
        commands = "\n".join(command + " --json" for command, _ in examples.printed[verb])
        rows = [(code(path), type_, there) for path, type_, there in keys(found)]
        parts += [
            f"## glocal {verb} {{ #{verb} }}\n",
            f"```text\n{commands}\n```\n",
            table(("Key", "Type", ""), rows),
            f"The same as a JSON Schema: [{verb}.json](schemas/{verb}.json).\n",
        ]
    return "\n".join(parts)


def files(examples: Examples) -> dict[str, str]:
    """The page and the schemas, by their path below the reference."""
    schemas = {
        f"schemas/{verb}.json": json.dumps({"$schema": DIALECT, "title": f"glocal {verb} --json", **found}, indent=2)
        + "\n"
        for verb, found in verb_schemas(examples).items()
    }
    return {"json.md": page(examples), **schemas}
