"""Quantities that people write with a unit, 2h, 0.3G, 5ms or 40MB, as types of settings."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_SCALES = {"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


def _amount(value: Any) -> Any:
    """ "0.3G" as 3e8."""
    return _scaled(value, unit="", example="0.3G or 1300M")


def _bytes(value: Any) -> Any:
    """ "40MB" as 4e7."""
    return _scaled(value, unit="B", example="40MB")


def _scaled(value: Any, *, unit: str, example: str) -> Any:
    if not isinstance(value, str):
        return value
    if not (m := re.fullmatch(rf"(\d+(?:\.\d+)?(?:e\d+)?)\s*({'|'.join(_SCALES)})(?:{unit})?", value)):
        raise ValueError(f"give a number such as {example}")
    return float(m[1]) * _SCALES[m[2]]


def _milliseconds(value: Any) -> Any:
    """ "5ms" as 5.0."""
    if not isinstance(value, str):
        return value
    if not (m := re.fullmatch(r"(\d+(?:\.\d+)?(?:e\d+)?)\s*(?:ms)?", value)):
        raise ValueError("give a number such as 5ms")
    return float(m[1])


def _seconds(value: Any) -> Any:
    """ "1h30m" or "3600s" in seconds."""
    if not isinstance(value, str):
        return value
    m = re.fullmatch(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?", value)
    if not value or not m:
        raise ValueError("give a time such as 2h, 90m or 1h30m")
    return sum(float(part or 0) * s for part, s in zip(m.groups(), (3600, 60, 1), strict=True))


_POSITIVE = Field(gt=0, allow_inf_nan=False)
Amount = Annotated[float, _POSITIVE, BeforeValidator(_amount)]
Bytes = Annotated[float, _POSITIVE, BeforeValidator(_bytes)]
Milliseconds = Annotated[float, _POSITIVE, BeforeValidator(_milliseconds)]
Seconds = Annotated[float, _POSITIVE, BeforeValidator(_seconds)]
