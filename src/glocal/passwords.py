"""Passwords in URLs: no file and no message holds them, and they are found again where a URL is opened."""

import os
import re

VARIABLE = "GLOCAL_URLS"
"""The environment variable with URLs and their passwords, apart by spaces; processes that this one starts inherit it."""

_SECRETS = (
    r"password|sslpassword|passwd|token|secret|sig|signature|x-(?:amz|goog)-(?:signature|credential|security-token)"
)
"""Names in the query of a URL whose values open something."""

_HIDDEN = re.compile(rf"([?&](?:{_SECRETS})=)([^&\s]*)", re.IGNORECASE)
_POSTGRES = re.compile(r"(\bpostgres(?:ql)?(?:\+\w+)?://[^\s:/@]*):\S*@")  # its password may hold any character
_WEB = re.compile(r"(\w://[^\s:/@]*):(?!\d+(?:[/?#\s]|$))\S*@")  # what is all digits is a port
_USER = re.compile(r"(\w+://[^\s:/@]*)(:\S*)@([^\s@/?#]*)")


def without_passwords(text: str) -> str:
    """A text without the passwords that URLs in it may hold: `USER@HOST` for `USER:PASSWORD@HOST`, `...` for that of a query."""
    text = _WEB.sub(r"\1@", _POSTGRES.sub(r"\1@", text))
    return _HIDDEN.sub(r"\1...", text)


def public_url(url: str) -> str:
    """A URL, or a path, as files and messages name it; its password is remembered, for `with_passwords`."""
    public = without_passwords(url)
    if public != url and url not in _known():
        os.environ[VARIABLE] = " ".join([*os.environ.get(VARIABLE, "").split(), url])
    return public


def with_passwords(url: str) -> str:
    """A URL that `public_url` made, with its passwords: that of the same user and host, and those of queries to the same host."""
    for known in _known():
        if without_passwords(known) == url:
            return known
    for known in _known():
        url = _with_password(url, known)
    return url


def _with_password(url: str, known: str) -> str:
    """A URL with the passwords of one that is known, as far as it is of the same place."""
    if (found := _USER.search(known)) and without_passwords(known) != known:
        user, password, host = found.groups()
        url = re.sub(rf"{re.escape(f'{user}@{host}')}(?=[/?#]|$)", lambda _: f"{user}{password}@{host}", url)
    values = dict(_HIDDEN.findall(known.replace("?", "&", 1)))
    if _host(known) == _host(url):
        url = _HIDDEN.sub(lambda m: m[1] + (values.get(f"&{m[1][1:]}") or m[2]) if m[2] == "..." else m[0], url)
    return url


def _known() -> list[str]:
    """URLs with passwords, those that were remembered last first."""
    texts = [os.environ.get("MLFLOW_TRACKING_URI", ""), *os.environ.get(VARIABLE, "").split()]
    return [text for text in reversed(texts) if without_passwords(text) != text]


def _host(url: str) -> str:
    return re.sub(r"^[^@]*@|^\w+://", "", url.partition("?")[0]).partition("/")[0]
