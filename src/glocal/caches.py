"""Where glocal keeps what it can make again or fetch again. All of it may be deleted."""

import os
from pathlib import Path


def cache_folder(name: str) -> Path:
    """$GLOCAL_CACHE/name, or glocal/name in $XDG_CACHE_HOME or ~/.cache.

    GLOCAL_CACHE=off forbids to keep what pictures looked like (`data.cache`); for what must lie somewhere it is as if it were
    not set.
    """
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    given = os.environ.get("GLOCAL_CACHE", "off")
    return (Path(caches) / "glocal" if given in ("", "off") else Path(given)) / name
