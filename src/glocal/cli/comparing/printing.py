"""What the verbs study and pick print at their end: the result, the opened test split, and where the page is."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from rich.table import Table

from glocal.cli.verbosity import stdout_console


class Found(Protocol):
    """The result of a study or a pick; printed, it is its sentences."""

    @property
    def test_opened(self) -> int:
        """How often the test split was opened."""

    @property
    def test_means(self) -> Mapping[str, float]:
        """Mean accuracy of each network on the test split, where it was opened."""

    def to_json(self) -> dict[str, Any]:
        """Plain data."""


def print_found(found: Found, page: Path, *, as_json: bool, table: Table | None = None, last: str = "") -> None:
    """Prints one JSON object, or the table, the sentences, the last line and the page."""
    if as_json:
        print(json.dumps({**found.to_json(), "report": str(page)}, ensure_ascii=False))
        return
    console = stdout_console()
    if table is not None:
        console.print(table, "")
    console.print(str(found), markup=False, soft_wrap=True)
    if found.test_opened:
        times = f"{found.test_opened} time{'s' * (found.test_opened > 1)}"
        each = ", ".join(f"{name} {mean:.2%}" for name, mean in found.test_means.items())
        console.print(f"  test split, now opened {times}: {each}", markup=False, soft_wrap=True)
    console.print(f"\n{last}report: {page}", markup=False, soft_wrap=True)
