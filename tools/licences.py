"""Writes docs/licences.md: the packages that glocal depends on, with the licences that they state. `--check` only compares."""

import argparse
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "licences.md"
HEAD = """# Licences

glocal is under the Apache License 2.0. It contains no code of others. These are the packages that it
imports, with the licence that each states of itself; `python tools/licences.py` writes this page from what is installed.

| package | needed by | licence |
|---|---|---|
"""
SHORT = {
    "License :: OSI Approved :: ": "",
    "Apache Software License": "Apache-2.0",
    "MIT License": "MIT",
    "BSD License": "BSD",
}

LARGE = {"mlflow-skinny": "Apache-2.0", "ray": "Apache-2.0"}
"""Of packages that are seldom installed, as their pages state it."""


def needed() -> dict[str, list[str]]:
    """The packages that pyproject.toml names, each with what needs it: "glocal" or extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: dict[str, list[str]] = {}
    for user, packages in {"glocal": project["dependencies"], **project["optional-dependencies"]}.items():
        for package in packages:
            found.setdefault(re.split(r"[\[<>=!~ ;]", package)[0].lower(), []).append(user)
    return found


def licence(package: str) -> str | None:
    """What a package states; None where it is not installed."""
    try:
        about = metadata.metadata(package)
    except metadata.PackageNotFoundError:
        return None
    classifiers = [line for line in about.get_all("Classifier", []) if line.startswith("License ::")]
    expressions, texts = about.get_all("License-Expression", []), about.get_all("License", [])
    text = next(filter(None, (*expressions, "; ".join(classifiers), *texts)), "not stated")
    for long, short in SHORT.items():
        text = text.replace(long, short)
    return text.strip().splitlines()[0][:60]


def rows(known: dict[str, str]) -> dict[str, str]:
    """A row of the page for each package; of one that is not installed, what the page said before."""
    found = {}
    for package, users in sorted(needed().items()):
        name = licence(package) or known.get(package) or LARGE.get(package)
        if name:
            found[package] = f"| {package} | {', '.join(users)} | {name} |"
    return found


def main() -> None:
    """Writes the page, or says where it differs from what pyproject.toml names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    known = dict(re.findall(r"^\| (\S+) \| [^|]+ \| ([^|]+) \|$", before, re.MULTILINE))
    if check:
        if missing := needed().keys() ^ known.keys() - {"package"}:
            sys.exit(
                f"docs/licences.md and pyproject.toml differ in {', '.join(sorted(missing))}: run tools/licences.py"
            )
        return
    PAGE.write_text(HEAD + "\n".join(rows(known).values()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
