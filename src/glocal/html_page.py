"""Pages of HTML from the templates that lie beside the code that fills them."""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glocal.command_line import command
from glocal.errors import ComparisonError

if TYPE_CHECKING:
    from jinja2 import Template


@contextmanager
def naming_damage(verb: str, folder: str | PathLike[str]) -> Iterator[None]:
    """ComparisonError where the values that the page of a folder is made of are not as they were written."""
    import jinja2

    try:
        yield
    except (AttributeError, LookupError, OSError, TypeError, ValueError, csv.Error, jinja2.TemplateError) as error:
        again = command(verb, options=[("--resume", Path(folder))])
        raise ComparisonError(f"{folder}: the results are damaged ({error!r}); write them again: {again}") from None


def template(path: Path, **filters: Callable[..., Any]) -> "Template":
    """The template of a file. What it is given is escaped; a name that it is not given is an error."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(path.parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters
    return environment.get_template(path.name)
