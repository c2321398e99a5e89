"""How long the steps, the starts and the ends of epochs take, and so how much time a run has left. It reads no clock itself."""

from collections import deque

SPAN_S, FEWEST = 60.0, 20


class Pace:
    """Is told when things end, in seconds of any one clock; `began` is when the run did.

    The mean step is that of the last minute (of the last 20 steps, where that is longer), so that states written between
    steps count with their share. What an epoch needs besides its steps is taken from the one before.
    """

    def __init__(self, began: float, *, epochs: int, val_size: int) -> None:
        self._epochs, self._val_size, self._at = epochs, val_size, began
        self._epoch = self._done = self._of = self._images = self._ended = 0
        self._steps: deque[tuple[float, float]] = deque()  # took, and waited of it
        self._sum_s = self._waited_s = 0.0
        self._first_s = 0.0  # of the newest epoch's first step, which starts the workers
        self._end_s: float | None = None  # from an epoch's last step until it is told: validation and files

    def step(self, now: float, *, epoch: int, done: int, of: int, images: int, waited_s: float) -> float | None:
        """After a step; returns the seconds it took, None for the first of an epoch, which takes more."""
        took_s, first = now - self._at, self._done == 0
        self._epoch, self._done, self._of, self._images, self._at = epoch, done, of, images, now
        if first:
            self._first_s = took_s
            return None
        self._steps.append((took_s, waited_s))
        self._sum_s += took_s
        self._waited_s += waited_s
        while len(self._steps) > FEWEST and self._sum_s - self._steps[0][0] > SPAN_S:
            old_s, old_waited_s = self._steps.popleft()
            self._sum_s -= old_s
            self._waited_s -= old_waited_s
        return took_s

    def validated(self, now: float) -> None:
        """After the network has answered for the validation pictures. What the first epoch needs from here on to its end is
        not what others will: it loads the libraries that count."""
        self._end_s = now - self._at

    def epoch(self, now: float) -> None:
        """After the end of an epoch."""
        if self._ended or self._end_s is None:
            self._end_s = now - self._at
        self._at, self._done = now, 0
        self._epoch += 1
        self._ended += 1

    @property
    def step_s(self) -> float:
        """Seconds of the mean step; of the first one as long as there is no other."""
        return self._sum_s / len(self._steps) if self._steps else self._first_s

    @property
    def images_per_s(self) -> float:
        """Training speed, pictures a second of all processes."""
        return self._images / self.step_s if self.step_s else 0.0

    @property
    def waits(self) -> float:
        """The share of the steps' time that was waiting for pictures."""
        return self._waited_s / self._sum_s if self._sum_s else 0.0

    def seconds_left(self, now: float) -> float:
        """Until the run ends. Before the first validation a picture validated is taken for a third of one trained: a forward
        pass against a forward and a backward one; and before the second epoch its start for nothing, since that of the
        first is also the machine's."""
        if self._epoch == self._epochs:
            return 0.0
        end_s = self._end_s
        if end_s is None:
            end_s = self._val_size * self.step_s / self._images / 3 if self._images else 0.0
        start_s = max(0.0, self._first_s - self.step_s) if self._ended else 0.0
        this_s = (self._of - self._done) * self.step_s + end_s
        if self._done == self._of:
            this_s = max(0.0, end_s - (now - self._at))
        return this_s + (self._epochs - self._epoch - 1) * (self._of * self.step_s + start_s + end_s)


def clock(seconds: float) -> str:
    """Seconds as 0:09, 12:34 or 1:02:03."""
    minutes, s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{s:02}" if hours else f"{minutes}:{s:02}"
