"""Answers requests over HTTP with a network's predictions: `app(model)` for a server of one's own, `serve(run)` for a process."""

from typing import Any

__all__ = ["app"]


def __getattr__(name: str) -> Any:
    if name == "app":  # imports fastapi
        from glocal.serving.application import app

        return app
    raise AttributeError(f"module 'glocal.serving' has no attribute {name!r}")
