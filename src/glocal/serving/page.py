"""The page at /: drop a picture, see the most probable classes. One HTML file that loads nothing from elsewhere."""

import base64
import hashlib
import json
import re
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from glocal.serving.models import Classifier


def page_route(name: str, model: Classifier, *, explains: bool) -> APIRouter:
    """The route of the page."""
    about = {"name": name, "classes": len(model.classes), "multiLabel": model.multi_label, "explains": explains}
    # In a script element, "<" could begin its end tag or a comment.
    text = json.dumps(about).replace("<", "\\u003c")
    html = (Path(__file__).parent / "page.html").read_text(encoding="utf-8").replace("{{ about }}", text)
    headers = {"Content-Security-Policy": _policy(html), "X-Content-Type-Options": "nosniff"}
    router = APIRouter()

    @router.get("/", summary="A page to drop pictures on", response_class=HTMLResponse)
    async def page() -> HTMLResponse:
        return HTMLResponse(html, headers=headers)

    return router


def _policy(html: str) -> str:
    """Allows the page its own script and styles, pictures that it was given, and requests to its own server."""
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src blob: data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
