"""A recipe as a page to read: paper, command, expected result, cost, settings. The recipes are in `recipes.papers`."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from glocal.design import Architecture, adapt, cost
from glocal.design.text import count
from glocal.families import architecture
from glocal.recipes.schema import Recipe


class Pictures(NamedTuple):
    """A data set: its name, its folder in the printed command, and its training pictures and classes where they are published."""

    name: str
    folder: str
    train: int | None = None
    classes: int | None = None


IMAGENET = Pictures("ImageNet-1K", "imagenet", 1_281_167, 1000)
CIFAR10 = Pictures("CIFAR-10", "cifar10", 50_000, 10)
CIFAR100 = Pictures("CIFAR-100", "cifar100", 50_000, 100)
_ALWAYS = ("model", "epochs", "batch_size", "opt", "lr", "weight_decay", "sched")  # shown even where they are defaults


@dataclass(frozen=True)
class Page:
    """A recipe with what a reader wants to know about it.

    table: where the paper or its code states the settings. top1: percent; `scored` says on which pictures, with which
    weights, and who published it. weights: name of the recipe whose result this one starts from. hardware: the authors'.
    """

    name: str
    paper: str
    table: str
    recipe: Recipe
    data: Pictures
    top1: float | None = None
    scored: str = ""
    weights: str = ""
    hardware: str = ""
    notes: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """The command to type; WEIGHTS stands for the weights to start from."""
        return f"glocal train {self.data.folder} --recipe {self.name}" + " --weights WEIGHTS" * bool(self.starts)

    @property
    def starts(self) -> str:
        """A description of the weights to start from; empty where the run starts from none."""
        if self.weights:
            return f"those of {self.weights}, or the authors' or timm's for the same network"
        return "from any source; they say which network it is" if self.recipe.model_from == "weights" else ""

    @property
    def trained(self) -> Architecture | None:
        """The network as it is trained, adapted to the classes of the data and the size of the training pictures; None where
        the weights decide it."""
        r = self.recipe
        if r.model_from == "weights":
            return None
        arch = adapt(
            architecture(r.model),
            classes=self.data.classes,
            channels=len(r.mean),
            size=r.img_size,
            drop_path=r.drop_path,
            attention_dropout=r.attention_dropout,
        )
        return adapt(arch, size=r.training_size((arch.image.h, arch.image.w)))

    @property
    def expected(self) -> str:
        """The result in words."""
        if self.top1 is None:
            return self.scored or "none is published"
        return f"{self.top1:g} % top-1, {self.scored}"

    @property
    def pictures(self) -> int | None:
        """Training pictures of an epoch, in whole batches."""
        return self.data.train and self.data.train // self.recipe.batch_size * self.recipe.batch_size

    @property
    def macs(self) -> int | None:
        """Multiply-adds of all forward passes, exactly."""
        arch = self.trained
        return self.recipe.total_epochs * self.pictures * cost(arch).macs if arch and self.pictures else None


def settings(recipe: Recipe) -> dict[str, Any]:
    """The most important settings, and those that are not the defaults of `Recipe`, in its order, as plain data."""
    plain = Recipe().model_dump(mode="json")
    return {
        name: value
        for name, value in recipe.model_dump(mode="json").items()
        if value != plain[name] or (name in _ALWAYS and (name, recipe.model_from) != ("model", "weights"))
    }


def to_json(page: Page) -> dict[str, Any]:
    """Plain data: all of the page and all settings."""
    fields = {
        name: getattr(page, name)
        for name in ("name", "paper", "table", "command", "top1", "scored", "weights", "hardware")
    }
    size = cost(page.trained) if page.trained else None
    counted = {"params": size and size.params, "macs_a_picture": size and size.macs, "macs": page.macs}
    data = {"data": page.data.name, "pictures": page.data.train, "classes": page.data.classes}
    return {**fields, **data, **counted, "notes": list(page.notes), "settings": page.recipe.model_dump(mode="json")}


def rows(page: Page) -> Iterator[tuple[str, str]]:
    """The page as headings with their lines."""
    yield "paper", page.paper
    yield "settings from", page.table
    yield "command", page.command
    if page.starts:
        yield "WEIGHTS", page.starts
    yield "expected", page.expected
    yield "cost", _cost(page)
    if page.hardware:
        yield "hardware", page.hardware
    yield from (("note", note) for note in page.notes)


def _cost(page: Page) -> str:
    shown = f"{page.recipe.total_epochs:,} epochs of {f'{page.pictures:,}' if page.pictures else 'the'} pictures"
    if (arch := page.trained) is None:
        return shown
    size, (_, h, w) = cost(arch), arch.image
    each = f"{count(size.macs)} multiply-adds each ({h} x {w}, {count(size.params)} weights)"
    total = f": {page.macs:.3g} forward, about three times as many with the backward pass" if page.macs else ""
    return f"{shown} at {each}{total}"


def spelled(recipe: Recipe, width: int) -> str:
    """The settings as lines of text, `name value`, separated by commas."""
    words = (f"{name} {_value(value)}" for name, value in settings(recipe).items())
    return textwrap.fill(", ".join(word.replace(" ", "\0") for word in words), width).replace("\0", " ")


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"({', '.join(map(_value, value))})"
    return f"{value:g}" if isinstance(value, float) else str(value)


def markdown(title: str, pages: tuple[Page, ...]) -> str:
    """A document with all pages, for docs/recipes."""
    parts = [
        f"# {title}\n",
        "`glocal recipes NAME` prints one of these pages. Settings that a page does not list are the defaults of `Recipe`.\n",
    ]
    for page in pages:
        lines = [f"- **{heading}**: {f'`{line}`' if heading == 'command' else line}" for heading, line in rows(page)]
        lines_of_settings = "\n".join(f"    {line}" for line in spelled(page.recipe, 116).splitlines())
        parts.append(f"## {page.name}\n\n" + "\n".join(lines) + f"\n\n{lines_of_settings}\n")
    return "\n".join(parts)
