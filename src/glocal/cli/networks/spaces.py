"""What `glocal show` says of a search space: how many networks it holds, what they cost, what is asked where."""

import random
import re
import statistics
from dataclasses import fields
from itertools import groupby
from math import prod
from typing import Any

from rich.table import Table

from glocal.cli.verbosity import stdout_console
from glocal.design import Architecture, OneOf, Stage, cost, decide, dump, python, questions, sample
from glocal.design.space import places, size
from glocal.design.span import cost_range
from glocal.design.text import count
from glocal.families.spaces import INFERRED

SAMPLES = 200  # networks whose median is said, drawn uniformly with seed 0


def page(space: Architecture) -> None:
    """Prints a space for people."""
    n, asked = size(space), questions(space)
    networks = f"{n:,}" if n < 10**9 else f"{n:.2g}"
    costs = Table("", "least", "median", "most", box=None, header_style="bold", pad_edge=False)
    for heading, said in zip(("weights", "MACs"), _costs(space).values(), strict=True):
        costs.add_row(heading, *map(count, said.values()))
    table = Table("where", "options", "what is asked", box=None, header_style="bold", pad_edge=False)
    for question, paths in _folded(space).items():
        named = f"{question.name}: " if question.name else ""
        table.add_row(where(paths), str(len(question.options)), named + options_text(question))
    for numbers in (*costs.columns[1:], table.columns[1]):
        numbers.justify = "right"
    print(f"{space.name}: {networks} networks at {space.image}, by {len(asked)} questions\n")
    stdout_console().print(costs, "", table)
    if space.name.startswith(INFERRED):
        print("\noptions: as Table 2's for Tiny; those of this size are not known to us")
    print(
        f"\nmedian: of {SAMPLES} networks drawn with seed 0; --answers {'-'.join('0' for _ in asked)} shows the first"
    )


def summary(space: Architecture) -> dict[str, Any]:
    """The same as plain data; the options of a question are in the architecture."""
    asked = [
        {"paths": paths, "name": question.name, "options": len(question.options), "asked": options_text(question)}
        for question, paths in _folded(space).items()
    ]
    plain: dict[str, Any] = {"name": space.name, "networks": size(space), "image": list(space.image), **_costs(space)}
    plain["inferred"] = space.name.startswith(INFERRED)
    return {**plain, "questions": asked, "architecture": dump(space)}


def _costs(space: Architecture) -> dict[str, dict[str, float]]:
    rng = random.Random(0)
    drawn = [cost(decide(space, sample(space, rng))) for _ in range(SAMPLES)]
    least, most = cost_range(space)
    return {
        name: {
            "least": getattr(least, name),
            "median": statistics.median(getattr(c, name) for c in drawn),
            "most": getattr(most, name),
        }
        for name in ("params", "macs")
    }


def _folded(space: Architecture) -> dict[OneOf, list[str]]:
    """The paths at which the same is asked."""
    folded: dict[OneOf, list[str]] = {}
    for place, question in places(space):
        path = re.sub(r"\[\d+\]", "", place)
        if path not in (paths := folded.setdefault(question, [])):
            paths.append(path)
    return folded


def where(paths: list[str]) -> str:
    """Paths that differ in their last number, together: stages.0.blocks.0-2,5."""
    told = []
    for stem, group in groupby(paths, key=lambda path: path.rstrip("0123456789")):
        numbers = sorted(int(path[len(stem) :]) for path in group if path != stem)
        runs = groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])
        ends = [[n for _, n in run] for _, run in runs]
        told.append(stem + ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in ends))
    return " ".join(told)


def options_text(question: OneOf) -> str:
    """The options of a question: of words, the fields that differ and their values; of stages, their depths."""
    options: tuple[Any, ...] = question.options
    stages = [option for option in options if isinstance(option, Stage)]
    frames = {(stage.width, stage.stride, stage.downsample, frozenset(stage.blocks)) for stage in stages}
    if stages and len(frames) == 1:
        return ", ".join(str(len(stage.blocks)) for stage in stages) + " blocks"
    if stages or len({*options}) < len(options) or any(isinstance(option, OneOf) for option in options):
        return " | ".join(options_text(option) if isinstance(option, OneOf) else python(option) for option in options)
    kinds = dict.fromkeys(map(type, options))
    return " | ".join(_varied([option for option in options if type(option) is kind]) for kind in kinds)


def _varied(words: list[Any]) -> str:
    """Words of one class as the fields they share and those in which they differ: GLiTBlock(local=2): mlp 2.0, 4.0."""
    values = {f.name: [*dict.fromkeys(getattr(word, f.name) for word in words)] for f in fields(words[0])}
    defaults = {f.name: f.default for f in fields(words[0])}
    shared = [f"{name}={python(of[0])}" for name, of in values.items() if len(of) == 1 and of[0] != defaults[name]]
    differ = [f"{name} {', '.join(map(python, _in_order(of)))}" for name, of in values.items() if len(of) > 1]
    combinations = prod(len(of) for of in values.values())
    rest = f" ({len(words)} of {combinations})" if combinations > len(words) else ""
    return f"{type(words[0]).__name__}({', '.join(shared)})" + (f": {'; '.join(differ)}{rest}" if differ else "")


def _in_order(values: list[Any]) -> list[Any]:
    """Numbers by size, all else as given."""
    return sorted(values) if all(isinstance(value, int | float) for value in values) else values
