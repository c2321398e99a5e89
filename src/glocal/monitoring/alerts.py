"""Alerts about a run while it trains, from the numbers of its steps and epochs. Where they are printed and saved is in `log`."""

from collections import deque
from collections.abc import Sequence
from statistics import median

WINDOW, FEWEST = 100, 20  # values that a median is taken of, and the fewest that make one


class Alerts:
    """Finds what is unusual in the numbers of steps and epochs; the same kind at most once in 100 steps.

    val_losses: those of the epochs before a run was resumed.
    """

    def __init__(self, val_losses: Sequence[float] = ()) -> None:
        self._loss, self._norm, self._step_s = RunningMedian(3), RunningMedian(10), RunningMedian(2)
        self._first_loss: float | None = None
        self._latest_s: deque[float] = deque(maxlen=10)
        self._val_losses = list(val_losses)
        self._overfits = False

    def step(
        self, *, loss: float, took_s: float | None, waited_s: float | None, grad_norm: float | None
    ) -> list[tuple[str, str]]:
        """The alerts of a step: kinds and texts. `took_s` is None for a step that is slow as expected, such as the first of an
        epoch."""
        found = []
        if self._first_loss is None:
            self._first_loss = loss
        # Near 0 the loss of a hard batch is often many times the median, so it must also rise by a tenth of the first loss.
        if usual := self._loss.exceeded_by(loss, least_rise=self._first_loss / 10):
            found.append(("loss", f"the loss is {loss:.3g}, {loss / usual:.1f} times its running median ({usual:.3g})"))
        if grad_norm is not None and (usual := self._norm.exceeded_by(grad_norm)):
            text = (
                f"the gradient norm is {grad_norm:.3g}, {grad_norm / usual:.0f} times its running median ({usual:.3g})"
            )
            found.append(("gradient", text))
        if took_s is not None:
            self._latest_s.append(took_s)
            slow_s = median(self._latest_s)
            if usual := self._step_s.exceeded_by(slow_s):
                text = f"a step takes {slow_s:.3g} s, {slow_s / usual:.1f} times its running median ({usual:.3g} s)"
                found.append(("speed", text + _data_share(waited_s, took_s)))
        return found

    def epoch(self, val_loss: float, *, patience: int = 3) -> str | None:
        """A text, once, when the validation loss is a tenth above its lowest and that was `patience` epochs ago or more."""
        self._val_losses.append(val_loss)
        lowest = min(self._val_losses)
        since = len(self._val_losses) - 1 - self._val_losses.index(lowest)
        self._overfits = self._overfits and since > 0
        if self._overfits or since < patience or val_loss < 1.1 * lowest:
            return None
        self._overfits = True
        return f"the validation loss is {val_loss:.3f}; it was {lowest:.3f} {since} epochs ago"


def _data_share(waited_s: float | None, took_s: float) -> str:
    """The end of a sentence: which share of a step was spent waiting for pictures."""
    if waited_s is None:
        return ""
    share = waited_s / took_s
    hint = ": try more --workers" if share > 1 / 2 else ""
    return f"; {share:.0%} of the last one was spent waiting for pictures{hint}"


class RunningMedian:
    """The running median of a series, to compare each new value with."""

    def __init__(self, times: float) -> None:
        self._times = times
        self._values: deque[float] = deque(maxlen=WINDOW)
        self._silent = 0  # values to come for which there is no second alert

    def exceeded_by(self, value: float, *, least_rise: float = 0.0) -> float | None:
        """The median so far, where `value` is more than `times` the median and more than `least_rise` above it; else None.

        After one such value, the next 100 are not reported.
        """
        usual = median(self._values) if len(self._values) >= FEWEST else None
        self._values.append(value)
        self._silent = max(0, self._silent - 1)
        if not usual or self._silent or not value > max(self._times * usual, usual + least_rise):
            return None
        self._silent = WINDOW
        return usual
