"""The recipes of the papers, one file a paper, and a few of our own: values with where every number is from.

A recipe says the model it was written for; `--model` takes it to another. Accuracies are the authors' on their own data.
"""

from difflib import get_close_matches
from pathlib import Path

from glocal.errors import RecipeError
from glocal.training.recipe import Recipe
from glocal.training.recipes import coatnet, compact, convmixer, convnext, glit, ours
from glocal.training.recipes.pages import Page, markdown

PAPERS = {
    "ours": ours,
    "compact": compact,
    "convmixer": convmixer,
    "convnext": convnext,
    "coatnet": coatnet,
    "glit": glit,
}
PAGES: dict[str, Page] = {page.name: page for paper in PAPERS.values() for page in paper.PAGES}
RECIPES: dict[str, Recipe] = {name: page.recipe for name, page in PAGES.items()}


def page(name: str) -> Page:
    """A recipe's page by name; RecipeError suggests the nearest known one."""
    if name not in PAGES:
        near = get_close_matches(name, PAGES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "`glocal recipes` lists them"
        raise RecipeError(f"no recipe is called {name!r}; {hint}")
    return PAGES[name]


def recipe(name: str) -> Recipe:
    """A recipe by name; RecipeError suggests the nearest known one."""
    return page(name).recipe


def suggest(source: str, typical_size: tuple[int, int]) -> str:
    """The name of our recipe for a data set: by what it is, or by the typical (height, width) of its pictures."""
    if source == "digits":
        return "digits"
    return "small" if max(typical_size) <= 64 else "photos"


def documents() -> dict[str, str]:
    """The text of each file of docs/recipes, by its name."""
    return {f"{name}.md": markdown(paper.TITLE, paper.PAGES) for name, paper in PAPERS.items()}


def write(folder: str | Path) -> None:
    """Writes them."""
    for name, text in documents().items():
        (Path(folder) / name).write_text(text, encoding="utf-8")
