"""Runs the blocks of a page one after the other in one folder, as a reader would who types along."""

import ast
import contextlib
import io
import os
import re
import subprocess
import sys
import tokenize
import warnings
from pathlib import Path
from typing import Any

from docs.blocks import Block, words
from docs.exclusions import reason_not_to_run, shortened, with_additions
from docs.world import run_command

SHELL_SYNTAX = re.compile(r"&&|\||>|\$|;|^\w+=")
EXIT_CODE = re.compile(r"#.*\bexit code (\d+)")


def run_page(page_blocks: list[Block], folder: Path) -> list[str]:
    """Runs what can be run; returns what was left out. AssertionError names the block that failed or printed another thing."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    left_out = []
    for block in page_blocks:
        if block.kind == "file":
            (folder / block.title).write_text(block.text, encoding="utf-8")
        elif reason := reason_not_to_run(block.text):
            left_out.append(f"{block}: {reason}")
        elif block.kind == "python":
            _run_python(block, namespace, folder)
        else:
            _run_command(block, folder)
    return left_out


def _run_command(block: Block, folder: Path) -> None:
    text = shortened(block.text)
    stated = EXIT_CODE.search(text)
    line = words(text)
    if line[0] == "glocal" and not SHELL_SYNTAX.search(text.partition(" #")[0]):
        code, printed = run_command(with_additions(line)[1:], folder)
    else:
        code, printed = _run_shell(text, folder)
    assert code == (int(stated[1]) if stated else 0), f"{block} ended with {code}:\n{printed}"


def _run_shell(text: str, folder: Path) -> tuple[int, str]:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", text], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout + done.stderr


def _run_python(block: Block, namespace: dict[str, Any], folder: Path) -> None:
    """Runs a block, and compares what it prints with what its comments say: `print(x)  # 3, and why`."""
    source = shortened(block.text)
    out = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), warnings.catch_warnings():
        warnings.simplefilter("default")
        for statement in ast.parse(source).body:
            ast.increment_lineno(statement, block.line - 1)
            before = len(out.getvalue())
            try:
                exec(compile(ast.Module([statement], []), str(block.page), "exec"), namespace)
            except Exception as error:
                raise AssertionError(
                    f"{block.page.name}:{statement.lineno}: {type(error).__name__}: {error}"
                ) from error
            _compare(block, statement, out.getvalue()[before:].strip())


def _compare(block: Block, statement: ast.stmt, printed: str) -> None:
    """A comment behind a `print` begins with what it prints, unless it says that it gives an example ("for example 0.93")."""
    if not (isinstance(statement, ast.Expr) and ast.unparse(statement).startswith("print(")):
        return
    last = (statement.end_lineno or 0) - block.line
    comment = _comments(block.text).get(last + 1, "")
    if comment and not comment.startswith("for example"):
        assert comment.startswith(printed), f"{block.page.name}:{statement.lineno} prints {printed!r}, not {comment!r}"


def _comments(source: str) -> dict[int, str]:
    """The comments of Python code, by line."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: t.string.removeprefix("#").strip() for t in tokens if t.type == tokenize.COMMENT}
