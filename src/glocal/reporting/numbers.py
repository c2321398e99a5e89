"""Numbers as the pages and figures show them."""

import math


def percent(fraction: float | None, digits: int = 2) -> str:
    """A fraction in percent; a dash for none."""
    return "–" if fraction is None else f"{fraction:.{digits}%}"


def points(fraction: float | None) -> str:
    """A difference of accuracies in points, with its sign; a dash for none."""
    return "–" if fraction is None else f"{100 * fraction:+.2f}"


def duration(seconds: float) -> str:
    """Seconds as "47 s", "12 min" or "3 h 05 min"."""
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60:,} h {minutes % 60:02} min"


def round_ticks(low: float, high: float) -> list[float]:
    """Round numbers from below `low` to above `high`, about six of them; at least two, also where both are the same."""
    raw = max(high - low, 1e-6) / 6
    power = 10 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(i * step, 10) for i in range(first, max(last, first + 1) + 1)]
