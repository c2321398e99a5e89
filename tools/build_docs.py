"""Builds the site of docs/ in site/, with the generated reference, and checks it: `python tools/build_docs.py`.

The reference is made anew in each build and is not committed, so it cannot be stale. The build ends with exit code 1 for a
warning of the builder, a page outside the navigation, a link that leads nowhere, or Markdown that was left as it is.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from docsite import api, checks, examples, folders, navigation, notebook, schemas, settings, verbs

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "docs" / "zensical.toml"
OUTSIDE = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changes.md", "SECURITY.md": "security.md"}
"""Pages of the site that are kept at the root of the repository, where people look for them."""


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--site", type=Path, default=ROOT / "site", help="folder of the finished site, which is replaced"
    )
    parser.add_argument(
        "--notebooks", action="store_true", help="instead, execute docs/*.ipynb and save what they show"
    )
    asked = parser.parse_args()
    if asked.notebooks:
        execute_notebooks()
        return
    site: Path = asked.site
    with tempfile.TemporaryDirectory() as work:
        problems = build(Path(work), site)
    for line in problems:
        print(line, file=sys.stderr)
    print(f"{site}: {len(list(site.rglob('*.html')))} pages, {len(problems)} problems")
    sys.exit(1 if problems else 0)


def build(work: Path, site: Path) -> list[str]:
    """Builds the site by way of an empty working folder; returns a line for each thing that is wrong."""
    write_pages(work / "docs")
    for path, text in reference(work / "examples").items():
        _write(work / "docs" / "reference" / path, text)
    config = navigation.read(CONFIG)["project"]
    nav = navigation.expanded(config["nav"], work / "docs")
    problems = navigation.problems(nav, work / "docs")
    _write(work / "zensical.toml", navigation.with_nav(CONFIG.read_text(encoding="utf-8"), nav))
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"], cwd=work, capture_output=True, text=True, check=False
    )
    if done.returncode:
        problems.append(done.stdout + done.stderr)
    shutil.rmtree(site, ignore_errors=True)
    shutil.copytree(work / "site", site)
    return problems + checks.problems(site)


def execute_notebooks() -> None:
    """Executes every notebook, and saves it with its outputs."""
    for path in sorted((ROOT / "docs").glob("*.ipynb")):
        with tempfile.TemporaryDirectory() as folder:
            notebook.save(notebook.execute(path, Path(folder)), path)
        print(path)


def write_pages(to: Path) -> None:
    """Copies the written pages: docs/, the notebook as Markdown, and what is kept at the root of the repository."""
    shutil.copytree(ROOT / "docs", to, ignore=shutil.ignore_patterns("*.toml", "*.ipynb"))
    for name, page in OUTSIDE.items():
        _write(to / page, _site_links((ROOT / name).read_text(encoding="utf-8")))
    for path in to.glob("*.md"):
        path.write_text(_site_links(path.read_text(encoding="utf-8")), encoding="utf-8")
    for path in sorted((ROOT / "docs").glob("*.ipynb")):
        notebook.write(path, to / f"{path.stem}.md")


def _site_links(text: str) -> str:
    """Markdown with links to where the site has what the repository has elsewhere, or in another form."""
    for name, page in OUTSIDE.items():
        text = text.replace(f"]({name})", f"]({page})")
    return text.replace("](docs/", "](").replace("](notebook.ipynb)", "](notebook.md)")


def reference(folder: Path) -> dict[str, str]:
    """Every generated page, by its path below the reference; the examples run in `folder`."""
    folder.mkdir()
    found = examples.run(folder)
    if missing := folders.undescribed(found):
        raise SystemExit("\n".join(missing))
    return {**quick_reference(), "folders.md": folders.page(found), **schemas.files(found)}


def quick_reference() -> dict[str, str]:
    """The generated pages for which nothing has to run."""
    return {"index.md": INDEX, "settings.md": settings.page(), **verbs.pages(), **api.pages()}


INDEX = """# Reference

Every page below is generated from the code when the site is built.

- [Commands](commands/index.md): every command with its arguments and flags.
- [Settings](settings.md): every setting of a recipe, a run and a search, with type, default and flag.
- [Folders](folders.md): the files of a run and of a search.
- [JSON](json.md): what each command prints with `--json`.
- [Python](python/index.md): every public function and class.

Two lists are written by hand, and tested: [models](../models.md) and [terms](../terms.md).
"""


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
