"""The recipes by name. Each file of `recipes/papers` holds those of one paper, or our own, with where every number is from.

A recipe names the model that it was written for; `--model` takes it to another. Accuracies are the authors', on their data.
"""

import pkgutil
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from glocal.errors import RecipeError

if TYPE_CHECKING:
    from glocal.recipes.pages import Page
    from glocal.recipes.schema import Recipe


@cache
def all_papers() -> dict[str, tuple[str, tuple["Page", ...]]]:
    """The title and the pages of each file of `recipes/papers`, our own first; a new file there needs no other change."""
    folder = str(Path(__file__).with_name("papers"))
    names = sorted((file.name for file in pkgutil.iter_modules([folder])), key=lambda name: (name != "ours", name))
    modules = {name: import_module(f"glocal.recipes.papers.{name}") for name in names}
    return {name: (module.TITLE, module.PAGES) for name, module in modules.items()}


@cache
def all_pages() -> dict[str, "Page"]:
    """The page of every recipe, by the recipe's name."""
    return {page.name: page for _, pages in all_papers().values() for page in pages}


def find_page(name: str) -> "Page":
    """The page of a recipe. RecipeError for an unknown name suggests the nearest known one."""
    pages = all_pages()
    if name not in pages:
        near = get_close_matches(name, pages, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "`glocal recipes` lists them"
        raise RecipeError(f"no recipe is called {name!r}; {hint}")
    return pages[name]


def recipe(name: str) -> "Recipe":
    """A recipe. RecipeError for an unknown name suggests the nearest known one."""
    return find_page(name).recipe


def suggest(source: str, typical_size: tuple[int, int]) -> str:
    """The name of our recipe for a data set: for what it is, or for the typical (height, width) of its pictures."""
    if source == "digits":
        return "digits"
    return "small" if max(typical_size) <= 64 else "photos"


def documents() -> dict[str, str]:
    """The text of each generated file of docs/recipes, by the file's name."""
    from glocal.recipes.pages import markdown

    return {f"{name}.md": markdown(title, pages) for name, (title, pages) in all_papers().items()}


def write(folder: str | Path) -> None:
    """Writes these files."""
    for name, text in documents().items():
        (Path(folder) / name).write_text(text, encoding="utf-8")
