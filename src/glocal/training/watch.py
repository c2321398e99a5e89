"""What goes wrong while a run trains, seen in the numbers of its steps and epochs. Who is told of it is in `log`."""

from collections import deque
from collections.abc import Sequence
from statistics import median

WINDOW, ENOUGH = 100, 20  # values that a median is taken of, and the fewest that make one


class Watch:
    """Is told of every step and epoch, and answers with what is out of the ordinary: of each kind once in 100 steps at most.

    `val_losses` are those of the epochs before a resumption.
    """

    def __init__(self, val_losses: Sequence[float] = ()) -> None:
        self._loss, self._norm, self._step_s = Level(3), Level(10), Level(2)
        self._first_loss: float | None = None
        self._latest_s: deque[float] = deque(maxlen=10)
        self._val_losses = list(val_losses)
        self._overfits = False

    def step(
        self, *, loss: float, took_s: float | None, waited_s: float | None, grad_norm: float | None
    ) -> list[tuple[str, str]]:
        """Kinds and texts. `took_s` is None for a step that is slow for a good reason, as the first of an epoch."""
        found = []
        if self._first_loss is None:
            self._first_loss = loss
        # Near 0 the loss of a hard batch is easily many times the median: the rise must be a tenth of where it began, too.
        if usual := self._loss.left_by(loss, least=self._first_loss / 10):
            found.append(("loss", f"the loss is {loss:.3g}, {loss / usual:.1f} times its running median ({usual:.3g})"))
        if grad_norm is not None and (usual := self._norm.left_by(grad_norm)):
            text = (
                f"the gradient norm is {grad_norm:.3g}, {grad_norm / usual:.0f} times its running median ({usual:.3g})"
            )
            found.append(("gradient", text))
        if took_s is not None:
            self._latest_s.append(took_s)
            slow_s = median(self._latest_s)
            if usual := self._step_s.left_by(slow_s):
                told = f"a step takes {slow_s:.3g} s, {slow_s / usual:.1f} times its running median ({usual:.3g} s)"
                found.append(("speed", told + _why_slow(waited_s, took_s)))
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
        return f"the validation loss is {val_loss:.3f}, after {lowest:.3f} {since} epochs ago"


def _why_slow(waited_s: float | None, took_s: float) -> str:
    if waited_s is None:
        return ""
    share = waited_s / took_s
    return f"; {share:.0%} of the last one was waiting for pictures" + (": try more --workers" if share > 1 / 2 else "")


class Level:
    """The running median of a series, and whether the newest value is more than `times` it."""

    def __init__(self, times: float) -> None:
        self._times = times
        self._values: deque[float] = deque(maxlen=WINDOW)
        self._quiet = 0

    def left_by(self, value: float, *, least: float = 0.0) -> float | None:
        """The median, where `value` is more than `times` it and more than `least` above it; not again for 100 values."""
        usual = median(self._values) if len(self._values) >= ENOUGH else None
        self._values.append(value)
        self._quiet = max(0, self._quiet - 1)
        if not usual or self._quiet or not value > max(self._times * usual, usual + least):
            return None
        self._quiet = WINDOW
        return usual
