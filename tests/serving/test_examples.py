"""The examples of docs/serve.md that ask a server work as they are printed: curl, Python and JavaScript."""

import contextlib
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from docs.blocks import blocks
from glocal.serving import app
from glocal.serving.settings import ServeSettings
from serving.conftest import in_thread

PAGE = Path(__file__).parents[2] / "docs" / "serve.md"
ADDRESS = "127.0.0.1:8000"
ASKING = [block for block in blocks(PAGE) if f"//{ADDRESS}" in block.text]


@pytest.fixture(scope="module")
def port(predictor):
    settings = ServeSettings()
    with in_thread(app(predictor, name="NAME", settings=settings), settings) as found:
        yield found


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, pictures):
    for name in ("a.jpg", "b.jpg"):
        Image.open(pictures[0]).convert("RGB").save(tmp_path / name)
    monkeypatch.chdir(tmp_path)


def test_there_are_examples():
    assert [block.kind for block in ASKING] == ["command", "command", "python", "python"]


@pytest.mark.parametrize("block", [b for b in ASKING if b.kind == "command"], ids=str)
@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_commands(block, port):
    command = ["bash", "-c", f"set -e; {block.text.replace(ADDRESS, f'127.0.0.1:{port}')}"]
    answer = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    assert answer["model"] == "NAME"
    assert all(each["predicted"] for each in answer["predictions"])


@pytest.mark.parametrize("block", [b for b in ASKING if b.kind == "python"], ids=str)
def test_python(block, port):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(block.text.replace(ADDRESS, f"127.0.0.1:{port}"), str(PAGE), "exec"), {})
    assert re.search(r"'(red|green|blue)'", out.getvalue())


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
def test_javascript(port):
    (code,) = re.findall(r"```javascript\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    file = 'new Blob([require("fs").readFileSync("a.jpg")])'
    use = f"classify({file}).then(answer => console.log(JSON.stringify(answer)));"
    script = code.replace(ADDRESS, f"127.0.0.1:{port}") + use
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout).keys() == {"red", "green", "blue"}
