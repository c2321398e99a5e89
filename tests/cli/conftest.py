"""Commands as a shell would run them."""

import sys

import pytest

from glocal.cli.app import main


@pytest.fixture
def glocal(monkeypatch, capsys, tmp_path):
    """Runs a command in this process, in a folder of its own; returns exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["glocal", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        out, err = capsys.readouterr()
        return code, out, err

    return run
