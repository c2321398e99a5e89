"""What a search wrote into its folder, as plain values. How they are shown is in `candidates` and `page`."""

import re
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

from glocal.design import Architecture
from glocal.errors import SearchError
from glocal.reporting.figures import COSTS
from glocal.reporting.plain_files import mapping, not_whole, numbers, read_architecture, read_json, read_text, read_yaml
from glocal.reporting.searches.level_folder import LevelFolder


@dataclass(frozen=True)
class SearchFolder:
    """A whole search. `about` is search.yaml."""

    path: Path
    about: dict[str, Any]
    levels: tuple[LevelFolder, ...]

    @classmethod
    def find(cls, path: str | PathLike[str]) -> "SearchFolder":
        """SearchError for a folder that is not a search's."""
        folder = Path(path)
        if not folder.is_dir():
            raise SearchError(f"{folder} is not a folder; give the folder of a search, such as runs/search/NAME")
        file = folder / "search.yaml"
        if not file.is_file():
            raise SearchError(
                f"{folder} has no search.yaml, so it is not the folder of a search; reports are written of runs, studies and "
                "searches: give runs/train/NAME, runs/study/NAME or runs/search/NAME"
            )
        about = read_yaml(file)
        names = about.get("levels") if isinstance(about, dict) else None
        if not isinstance(names, list) or not all(isinstance(n, str) and re.fullmatch(r"\w+", n) for n in names):
            raise not_whole(file, "it must have the names of the search's levels")
        return cls(
            folder, {str(name): value for name, value in about.items()}, tuple(LevelFolder(folder / n) for n in names)
        )

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the search."""
        return mapping(self.about, "settings", self.path / "search.yaml")

    def limits(self) -> dict[str, tuple[float | None, float | None]]:
        """The least and the most of each cost that has a limit."""
        names = [f"{end}_{name}" for name in COSTS for end in ("min", "max")]
        given = numbers(self.settings, self.path / "search.yaml", names)
        ends = {name: (given.get(f"min_{name}"), given.get(f"max_{name}")) for name in COSTS}
        return {name: both for name, both in ends.items() if both != (None, None)}

    @property
    def unused_split(self) -> str:
        """The split of the source that took no part in the search: "test", else its own "val", else ""."""
        rule = str(self.about.get("split_rule") or "")
        if re.search(r"test, [\d,]+ pictures, is set aside", rule):
            return "test"
        return "val" if "own val of" in rule else ""

    @property
    def cost(self) -> str:
        """The cost that figures show: the one that was weighed against accuracy, or else the first that has a limit."""
        weighed = self.settings.get("front")
        return str(weighed) if weighed else next(iter(self.limits()), "macs")

    @cached_property
    def decided(self) -> dict[str, float]:
        """The units of each phase, as plan.json has them."""
        return self._plan("decided")

    @cached_property
    def spent_s(self) -> dict[str, float]:
        """The seconds of each phase, as plan.json has them."""
        return self._plan("spent_s")

    def _plan(self, key: str) -> dict[str, float]:
        path = self.path / "plan.json"
        values = mapping(read_json(path, "decided", "spent_s") or {}, key, path)
        return numbers(values, path, values)

    @property
    def quote(self) -> str:
        """The times that were expected before the search started; empty where they were not written."""
        return read_text(self.path / "quote.txt").strip("\n")

    @cached_property
    def winner(self) -> Architecture | None:
        """The network that won."""
        return read_architecture(self.path / "winner" / "architecture.yaml")

    @cached_property
    def winner_scores(self) -> dict[str, float]:
        """accuracy, low, high and n of winner.json, or nothing."""
        path, names = self.path / "winner" / "winner.json", ("accuracy", "low", "high", "n")
        values = read_json(path, *names)
        if values is None:
            return {}
        scores = numbers(values, path, names)
        if scores.keys() != set(names):
            raise not_whole(path, f"it must have {', '.join(names)}")
        return scores
