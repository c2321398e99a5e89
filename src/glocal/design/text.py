"""Architectures as text and back: plain data for YAML and JSON, the shortest Python expression, a page to read.

Plain data name a word or op and the fields that differ from their defaults; runs of equal items are folded. `load` also
reads two shorter spellings of a question, for people: `OneOf: [...]`, and `Vary: {Word: {field: [values, ...]}}`.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from itertools import groupby, product
from typing import Any

from glocal.design.architecture import Architecture, Stage, Word, parts
from glocal.design.cost import cost, ops, part_cost
from glocal.design.op import Op
from glocal.design.plain import MOST, check_plain, repeats
from glocal.design.shapes import Grid
from glocal.design.space import OneOf
from glocal.errors import ArchitectureError

Plain = str | int | float | bool | None | list[Any] | dict[str, Any]


def dump(x: Any) -> Plain:
    """Dicts, lists, numbers and strings from which `load` makes x again."""
    if isinstance(x, Grid):
        return {"Grid": list(x)}
    if is_dataclass(x):
        said = {name: dump(value) for name, value in _stated_fields(x)}
        return {type(x).__name__: said} if said else type(x).__name__
    if isinstance(x, tuple):
        return [dump(v) if n == 1 else {f"{n} x": dump(v)} for n, v in _runs(x)]
    plain: Plain = x
    return plain


def load(x: Plain, vocabulary: Mapping[str, type], path: str = "architecture") -> Any:
    """What `dump` was given. `vocabulary` maps the names of words and ops to their classes.

    Raises ArchitectureError that names the place of an unknown word, an unknown field or a value of the wrong type, and for
    data that would spell out to more than an architecture (`check_plain`).
    """
    check_plain(x, path)
    return _load(x, vocabulary, path)


def _load(x: Plain, vocabulary: Mapping[str, type], path: str) -> Any:
    if isinstance(x, str) and x in vocabulary:
        return _make(x, {}, vocabulary, path)
    if isinstance(x, list):
        return tuple(v for i, item in enumerate(x) for v in _repeated(item, vocabulary, f"{path}[{i}]"))
    if isinstance(x, dict):
        if len(x) != 1:
            raise ArchitectureError(f"{path}: expected one word with its fields, got the keys {', '.join(map(str, x))}")
        ((name, said),) = x.items()
        return _make(str(name), said, vocabulary, path)
    return x


def _stated_fields(x: Any) -> Iterator[tuple[str, Any]]:
    """The fields of x that differ from their defaults, or have none."""
    for f in fields(x):
        value = getattr(x, f.name)
        if f.default is MISSING or value != f.default:
            yield f.name, value


def _runs(x: tuple[Any, ...]) -> list[tuple[int, Any]]:
    return [(len(list(group)), value) for value, group in groupby(x)]


def _repeated(item: Plain, vocabulary: Mapping[str, type], path: str) -> list[Any]:
    if isinstance(item, dict) and len(item) == 1:
        ((key, value),) = item.items()
        if (n := repeats(key)) is not None:
            return [_load(value, vocabulary, path)] * n
    return [_load(item, vocabulary, path)]


def _make(name: str, said: Plain, vocabulary: Mapping[str, type], path: str) -> Any:
    if name == "Grid":
        if not (isinstance(said, list) and len(said) == 3 and all(type(n) is int for n in said)):
            raise ArchitectureError(f"{path}: a Grid is [channels, height, width], not {said!r}")
        return Grid(*said)
    if name == "Vary":
        return _varied(said, vocabulary, f"{path}.Vary")
    if name not in vocabulary:
        raise ArchitectureError(f"{path}: {name!r} is not a word of this design space{_near(name, vocabulary)}")
    cls, path = vocabulary[name], f"{path}.{name}"
    known = {f.name: getattr(f.type, "__name__", str(f.type)) for f in fields(cls)}
    values = said if isinstance(said, dict) else {}
    if cls is OneOf and isinstance(options := values.get("options", said), list):
        values = {**values, "options": _options(options, vocabulary, f"{path}.options")}
    if unknown := [key for key in values if key not in known]:
        raise ArchitectureError(f"{path} has no field {unknown[0]!r}{_near(unknown[0], known)}")
    if missing := [f.name for f in fields(cls) if f.default is MISSING and f.name not in values]:
        raise ArchitectureError(f"{path} needs {', '.join(missing)}")
    made = {key: _value(value, known[key], vocabulary, f"{path}.{key}") for key, value in values.items()}
    try:
        return cls(**made)
    except ArchitectureError as error:
        raise type(error)(f"{path}: {error}") from None


def _options(said: list[Plain], vocabulary: Mapping[str, type], path: str) -> tuple[Any, ...]:
    """The options of a question; a Vary among them adds all of its own."""
    return tuple(
        option
        for i, item in enumerate(said)
        for made in _repeated(item, vocabulary, f"{path}[{i}]")
        for option in (made.options if isinstance(item, dict) and "Vary" in item else (made,))
    )


def _varied(said: Plain, vocabulary: Mapping[str, type], path: str) -> OneOf:
    """The question of a word some of whose fields are lists: every combination of their values, the first the slow one."""
    given = {key: value for key, value in said.items() if key != "name"} if isinstance(said, dict) else {}
    word, values = next(iter(given.items()), ("", None))
    values = values if isinstance(values, dict) else {}
    asked = {field: of for field, of in values.items() if isinstance(of, list)}
    if len(given) != 1 or not asked or not all(asked.values()):
        example = "{ConvMixerLayer: {kernel: [3, 5]}}"
        raise ArchitectureError(f"{path}: give one word with a list of values for a field, as in {example}")
    if math.prod(map(len, asked.values())) > MOST:
        raise ArchitectureError(f"{path}: these lists combine to more than {MOST:,} options")
    options = tuple(
        _make(word, {**values, **dict(zip(asked, sheet, strict=True))}, vocabulary, path)
        for sheet in product(*asked.values())
    )
    name = {"name": said["name"]} if isinstance(said, dict) and "name" in said else {}
    question: OneOf = _make("OneOf", {"options": options, **name}, vocabulary, path)
    return question


def _value(value: Plain, kind: str, vocabulary: Mapping[str, type], path: str) -> Any:
    """YAML reads 1e-5 as a string and 4 as an integer; a field says what it wants."""
    wanted = {"int": int, "float": float, "str": str, "bool": bool}.get(kind)
    if wanted is None:
        made = _load(value, vocabulary, path)
        told, fits = _MADE_OF.get(kind, ("", lambda _: True))
        if not fits(made):
            raise ArchitectureError(f"{path}: {value!r} is not {told}")
        return made
    if wanted is float and not isinstance(value, bool):
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            number = math.nan
        if math.isfinite(number):
            return number
    if type(value) is not wanted or wanted is float:
        raise ArchitectureError(f"{path}: {value!r} is not {'an' if kind == 'int' else 'a'} {kind}")
    return value


def _list_of(*classes: type) -> Callable[[Any], bool]:
    return lambda x: isinstance(x, tuple) and not isinstance(x, Grid) and all(isinstance(item, classes) for item in x)


# What a field that holds more than a number is made of, by its annotation.
_MADE_OF: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "Sentence": ("a list of ops", _list_of(Op)),
    "tuple[Stage, ...]": ("a list of Stage", _list_of(Stage, OneOf)),
    "tuple[Word, ...]": ("a list of words", _list_of(Word)),
    "tuple[Word | Stage, ...]": ("a list of words, or of Stage", _list_of(Word, Stage)),
    "Word | None": ("a word", lambda x: x is None or isinstance(x, Word)),
    "Grid": ("a Grid: [channels, height, width]", lambda x: isinstance(x, Grid)),
}


def _near(name: str, known: Mapping[str, Any]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(known))}"


def python(x: Any) -> str:
    """The shortest expression that evaluates to x where its words are imported."""
    if is_dataclass(x):
        first = [f.name for f in fields(x)]
        said = [
            python(value) if name == first[i] else f"{name}={python(value)}"
            for i, (name, value) in enumerate(_stated_fields(x))
        ]
        return f"{type(x).__name__}({', '.join(said)})"
    if isinstance(x, Grid):
        return f"Grid({x.c}, {x.h}, {x.w})"
    if isinstance(x, tuple):
        if len(x) > 1 and len(runs := _runs(x)) == 1:
            return f"({python(runs[0][1])},) * {len(x)}"
        return "(" + ", ".join(map(python, x)) + ("," if len(x) == 1 else "") + ")"
    return repr(x)


def words(x: Any) -> set[type]:
    """The classes that an expression of x names: what its reader must import."""
    if isinstance(x, tuple) and not isinstance(x, Grid):
        return set().union(*map(words, x)) if x else set()
    if is_dataclass(x):
        return {type(x)}.union(*(words(value) for _, value in _stated_fields(x)))
    return {Grid} if isinstance(x, Grid) else set()


# ------------------------------------------------------------------------------------------------------ pages


def show(arch: Architecture) -> str:
    """A page a person can read: each word with its weights, multiply-adds and the shape it leaves."""
    total = cost(arch)
    lines = [f"{arch.name}: {count(total.params)} weights, {count(total.macs)} multiply-adds at {arch.image}", ""]
    rows = [(path.rsplit(".", 1)[0] if ".blocks." in path else path, part) for path, part in parts(arch)]
    for (place, word), group in groupby(rows, key=lambda row: (row[0], row[1].word)):
        same = [part for _, part in group]
        costs = [part_cost(part) for part in same]
        size = f"{count(sum(c.params for c in costs)):>8} {count(sum(c.macs for c in costs)):>8}"
        said = " ".join(map(python, word)) if isinstance(word, tuple) else python(word)
        times = f"{len(same)} x " if len(same) > 1 else ""
        lines.append(f"{place.replace('.blocks', ''):<20} {size}  -> {same[-1].left!s:<20} {times}{said}")
    return "\n".join(lines)


def spell(arch: Architecture) -> str:
    """Every op with its path, the shapes it is given and leaves, its weights and its multiply-adds."""
    rows = [(path, python(op), str(s), str(op.out(s)), op.params(s), op.macs(s)) for path, op, s in ops(arch)]
    wide = [max(len(str(row[i])) for row in rows) for i in range(4)]
    return "\n".join(
        f"{path:<{wide[0]}}  {op:<{wide[1]}}  {given:>{wide[2]}} -> {left:<{wide[3]}} {params:>12,} {macs:>15,}"
        for path, op, given, left, params, macs in rows
    )


def count(n: float) -> str:
    """A number in three digits and a letter: 283723 -> '284 k'."""
    for unit in ("", " k", " M", " G", " T"):
        if abs(n) < 999.5:
            return f"{n:.3g}{unit}" if unit else f"{n:.0f}"
        n /= 1000
    return f"{n:.3g} P"
