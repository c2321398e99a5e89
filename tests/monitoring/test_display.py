"""Whether a console redraws a bar: on a terminal and in a notebook with ipywidgets, but not in CI."""

import importlib.util
import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from glocal.monitoring import display
from glocal.monitoring.display import RunDisplay, has_display
from glocal.monitoring.eta import Eta


@pytest.fixture(autouse=True)
def not_in_ci(monkeypatch):
    monkeypatch.delenv("CI", raising=False)


def test_a_terminal_has_a_display_and_a_file_has_none(monkeypatch):
    terminal = Console(file=io.StringIO(), force_terminal=True, force_interactive=True)
    assert has_display(terminal)
    assert not has_display(Console(file=io.StringIO(), force_terminal=False))
    assert not has_display(None)
    monkeypatch.setenv("CI", "true")
    assert not has_display(terminal)


@pytest.mark.parametrize("installed", [True, False])
def test_a_notebook_has_a_display_where_ipywidgets_are_installed(monkeypatch, installed):
    monkeypatch.setattr(display, "find_spec", lambda name: SimpleNamespace() if installed else None)
    assert has_display(Console(file=io.StringIO(), force_jupyter=True)) == installed


@pytest.mark.skipif(importlib.util.find_spec("ipywidgets") is None, reason="needs ipywidgets")
def test_in_a_notebook_the_bar_is_a_widget_that_is_removed_at_the_end(monkeypatch):
    import IPython.display

    shown = []
    monkeypatch.setattr(IPython.display, "display", lambda *objects, **_: shown.extend(objects))
    bar = RunDisplay(Console(force_jupyter=True), eta=Eta(0.0, epochs=1, val_size=1), lines=lambda: [("loss 1", "")])
    bar.start()
    bar.update("epoch 1/1", done=1, of=2)
    bar.stop()
    (widget,) = [thing for thing in shown if type(thing).__name__ == "Output"]
    assert widget.comm is None, "a widget that is still shown has a connection to the page"
