"""The verb doctor."""

import json
from typing import Any

from glocal.cli.options import JSON


def doctor(as_json: JSON = False) -> None:
    """Print versions, device, threads, caches and what is missing: the text to paste into a bug report."""
    from glocal.artifacts.diagnosis import diagnose

    found = diagnose()
    if as_json:
        print(json.dumps(found.to_json(), ensure_ascii=False))
        return
    sections: dict[str, dict[str, Any]] = {"system": found.system, "packages": found.packages, "caches": found.caches}
    for heading, rows in sections.items():
        print(f"{heading}:")
        width = max(map(len, rows))
        for name, value in rows.items():
            print(f"  {name:<{width}}  {value}")
    print("not installed:" if found.missing else "not installed: nothing that glocal can use")
    for line in found.missing:
        print(f"  {line}")
