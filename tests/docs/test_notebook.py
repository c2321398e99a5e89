"""The notebook of the documentation runs as it is, with a bar while it trains, and is saved with what its cells show."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tools"))

from docsite import notebook  # noqa: E402

NOTEBOOKS = sorted((ROOT / "docs").glob("*.ipynb"))
needs_jupyter = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("nbclient", "nbformat", "ipykernel", "ipywidgets")),
    reason="needs pip install '.[docs]'",
)


@needs_jupyter
@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs_and_shows_a_bar(path, tmp_path, monkeypatch):
    monkeypatch.delenv("CI", raising=False)  # where progress is not shown
    executed = notebook.execute(path, tmp_path)
    assert notebook.bars(executed) > 0
    shown = [output for output in notebook.outputs(executed) if notebook.WIDGET not in output.get("data", {})]
    saved = notebook.outputs(json.loads(path.read_text(encoding="utf-8")))
    assert {kind for o in shown for kind in o.get("data", ())} == {kind for o in saved for kind in o.get("data", ())}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_saved_with_its_outputs(path):
    saved = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in saved["cells"] if cell["cell_type"] == "code"]
    assert all(cell["execution_count"] for cell in code)
    assert notebook.bars(saved) == 0
    assert not [output for output in notebook.outputs(saved) if output["output_type"] == "error"]


def test_a_page_has_the_texts_the_code_and_what_it_showed(tmp_path):
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "text"]},
        {
            "cell_type": "code",
            "source": ["x = 1\n", "x"],
            "outputs": [
                {"output_type": "stream", "text": ["\x1b[2ma\x1b[0m\n"]},
                {"output_type": "display_data", "data": {notebook.WIDGET: {}, "text/plain": "Output()"}},
                {"output_type": "execute_result", "data": {"text/plain": ["1"]}},
                {"output_type": "display_data", "data": {"image/png": "AAAA", "text/plain": "<Image>"}},
            ],
        },
    ]
    (tmp_path / "n.ipynb").write_text(json.dumps({"cells": cells}))
    notebook.write(tmp_path / "n.ipynb", tmp_path / "n.md")
    assert (tmp_path / "n.md").read_text() == (
        "# Title\ntext\n\n```python\nx = 1\nx\n```\n\n```text\na\n1\n```\n\n![What the cell above shows](n-1-3.png)\n"
    )
    assert (tmp_path / "n-1-3.png").is_file()
