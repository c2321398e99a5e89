"""Jupyter notebooks of the documentation: executed and saved with what their cells show, and turned into pages of the site."""

import base64
import json
import re
from pathlib import Path
from typing import Any

Notebook = dict[str, Any]
WIDGET = "application/vnd.jupyter.widget-view+json"
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def execute(path: Path, folder: Path) -> Notebook:
    """The notebook with the outputs of its cells, which run in `folder`. An exception of a cell is raised."""
    import nbclient
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
    return json.loads(nbformat.writes(notebook))


def bars(notebook: Notebook) -> int:
    """How many live displays the cells showed."""
    return sum(WIDGET in output.get("data", {}) for output in outputs(notebook))


def outputs(notebook: Notebook) -> list[dict[str, Any]]:
    """What all cells showed."""
    return [output for cell in notebook["cells"] for output in cell.get("outputs", ())]


def save(notebook: Notebook, path: Path) -> None:
    """Writes a notebook without its live displays, which are empty once they have ended, and without times of execution."""
    notebook["metadata"].pop("widgets", None)
    for cell in notebook["cells"]:
        cell["metadata"] = {}
        if "outputs" in cell:
            cell["outputs"] = [output for output in cell["outputs"] if WIDGET not in output.get("data", {})]
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write(notebook: Path, page: Path) -> None:
    """Writes the page of a notebook, and beside it the pictures that the notebook shows."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n\n".join(_cell(cell, i, page) for i, cell in enumerate(cells)) + "\n", encoding="utf-8")


def _cell(cell: dict[str, Any], number: int, page: Path) -> str:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return source
    pictures = [_picture(output, f"{page.stem}-{number}-{i}", page) for i, output in enumerate(cell["outputs"])]
    text = "".join(map(_text, cell["outputs"])).rstrip()
    return "\n\n".join(filter(None, [f"```python\n{source}\n```", text and f"```text\n{text}\n```", *pictures]))


def _text(output: dict[str, Any]) -> str:
    data = output.get("data", {})
    if WIDGET in data or "image/png" in data:
        return ""
    return ANSI.sub("", "".join(output.get("text", data.get("text/plain", ""))))


def _picture(output: dict[str, Any], name: str, page: Path) -> str:
    data = output.get("data", {})
    if "image/png" not in data:
        return ""
    (page.parent / f"{name}.png").write_bytes(base64.b64decode("".join(data["image/png"])))
    return f"![What the cell above shows]({name}.png)"
