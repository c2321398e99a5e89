"""Serves a model in this process until a signal ends it."""

import logging
import math
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Any

from glocal.deploying.classifiers import load_classifier
from glocal.errors import RunError
from glocal.extras import require
from glocal.machine.threads import threads
from glocal.serving.models import explanations
from glocal.serving.settings import ServeSettings
from glocal.settings import merge

if TYPE_CHECKING:
    from fastapi import FastAPI
    from uvicorn import Server

LEVELS = {
    "glocal.serving": logging.INFO,
    "uvicorn": logging.WARNING,
    "asyncio": logging.ERROR,
    "py.warnings": logging.WARNING,
    "python_multipart": logging.ERROR,  # its warnings repeat what the refusal of a form says
}
"""Of each logger, the least that is logged."""
PACKAGES = ("fastapi", "uvicorn", "prometheus_client", "python_multipart")


def serve(model: str | Path, *, echo: Callable[[str], object] = print, **settings: Any) -> None:
    """Serves a run's best weights or a file of weights over HTTP, and returns after SIGTERM or Ctrl-C.

    `settings` are fields of `ServeSettings` (port=8000, max_batch=16, threshold="0.8"). `echo` gets a line once the server
    listens. After the signal no connection is accepted, and what was taken is answered.

    Raises RunError where the port is in use, MissingPackage without the extra `serve`, WeightError for a path without weights,
    RecipeError for a setting that is unknown or wrong.
    """
    require_packages()
    serve_settings(model, merge(ServeSettings(), settings), echo=echo)


def require_packages() -> None:
    """MissingPackage where the extra `serve` is not installed."""
    require("serving", "serve", *PACKAGES)


def serve_settings(model: str | Path, settings: ServeSettings, *, echo: Callable[[str], object]) -> None:
    """`serve`, with its settings as typed values."""
    from glocal.serving.application import app

    with _listening(settings.host, settings.port) as listener:
        classifier = load_classifier(model, device=settings.device, threads=settings.threads)
        name = settings.name or name_of(Path(model))
        application = app(classifier, name=name, settings=settings, explain=explanations(classifier))
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        with (
            threads(settings.threads) if settings.threads else nullcontext(),
            _log_to_standard_error(),
            _signals_end_it(),
        ):
            echo(f"{name}: http://{shown}:{port} (Ctrl-C ends it)")
            server_of(application, settings).run(sockets=[listener])


def name_of(path: Path) -> str:
    """The name of a model: that of the run's folder, or of the file."""
    resolved = path.resolve()
    if resolved.is_file() and resolved.parent.name == "weights":
        resolved = resolved.parent.parent
    stem = resolved.stem if resolved.is_file() else resolved.name
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in stem).strip("._-") or "model"


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that is bound, before a network is loaded for nothing. RunError where it cannot be."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as error:
        # The text of socket.create_server repeats the address; errors of names have numbers below 0, and their own texts.
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else error.strerror
        raise RunError(
            f"cannot listen on {host}, port {port}: {reason}; choose another with --port or --host"
        ) from None
    with listener:
        yield listener


def server_of(application: "FastAPI", settings: ServeSettings) -> "Server":
    """A uvicorn server that bounds the time for headers, and its own end."""
    from uvicorn import Config, Server

    from glocal.serving.slow_senders import EVERY_S, SlowSenders

    slow = SlowSenders(settings.timeout_s)

    async def close_slow_senders() -> None:
        await slow.close(server)

    config = Config(
        application,
        http="h11",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        callback_notify=close_slow_senders,
        timeout_notify=EVERY_S,
        timeout_graceful_shutdown=math.ceil(2 * settings.timeout_s),
    )
    server = Server(config)
    return server


@contextmanager
def _log_to_standard_error() -> Iterator[None]:
    """Lines of JSON on standard error, from this room and from the libraries in `LEVELS`."""
    from glocal.serving.observing import JsonLines

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    loggers = [logging.getLogger(name) for name in LEVELS]
    before = [(each.level, each.propagate) for each in loggers]
    for each, level in zip(loggers, LEVELS.values(), strict=True):
        each.addHandler(handler)
        each.setLevel(level)
        each.propagate = False
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        for each, (level, propagate) in zip(loggers, before, strict=True):
            each.removeHandler(handler)
            each.setLevel(level)
            each.propagate = propagate


@contextmanager
def _signals_end_it() -> Iterator[None]:
    """uvicorn handles SIGTERM and SIGINT and raises them again when it has stopped; to a server that was told to end, that is no
    error."""
    if current_thread() is not main_thread():
        yield
        return
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda *_: None) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
