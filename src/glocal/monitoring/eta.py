"""How long steps, validations and the starts of epochs take, and from that the time a run has left. It reads no clock itself."""

from collections import deque

SPAN_S, FEWEST = 60.0, 20


class Eta:
    """Estimates the time left from the moments at which steps and epochs end, in seconds of any one clock.

    started_s: when the run started. The mean step is that of the last minute (of the last 20 steps, where they took longer),
    so that states written between steps count with their share. What an epoch takes besides its steps is taken from the
    epoch before.
    """

    def __init__(self, started_s: float, *, epochs: int, val_size: int) -> None:
        self._epochs, self._val_size, self._latest_s = epochs, val_size, started_s
        self._epoch = self._done = self._of = self._images = self._epochs_done = 0
        self._steps: deque[tuple[float, float]] = deque()  # the time that each took, and how much of it was waiting
        self._sum_s = self._waited_s = 0.0
        self._first_s = 0.0  # of the newest epoch's first step, which starts the workers
        self._end_s: float | None = None  # from an epoch's last step to its end: validation and files

    def step(self, now: float, *, epoch: int, done: int, of: int, images: int, waited_s: float) -> float | None:
        """After a step. Returns the seconds that it took, None for the first of an epoch, which takes longer."""
        took_s, first = now - self._latest_s, self._done == 0
        self._epoch, self._done, self._of, self._images, self._latest_s = epoch, done, of, images, now
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
        """After the forward passes of a validation. The rest of the first epoch takes longer than that of later ones, because
        it loads the libraries that compute scores."""
        self._end_s = now - self._latest_s

    def epoch(self, now: float) -> None:
        """After the end of an epoch."""
        if self._epochs_done or self._end_s is None:
            self._end_s = now - self._latest_s
        self._latest_s, self._done = now, 0
        self._epoch += 1
        self._epochs_done += 1

    @property
    def step_s(self) -> float:
        """Seconds of the mean step; of the first one as long as there is no other."""
        return self._sum_s / len(self._steps) if self._steps else self._first_s

    @property
    def images_per_s(self) -> float:
        """Training speed: pictures a second, of all processes."""
        return self._images / self.step_s if self.step_s else 0.0

    @property
    def data_wait(self) -> float:
        """The share of the steps' time that was spent waiting for pictures."""
        return self._waited_s / self._sum_s if self._sum_s else 0.0

    def seconds_left(self, now: float) -> float:
        """Seconds until the run ends.

        Before the first validation, a picture is estimated to take a third of the time in validation that it takes in
        training: a forward pass, against a forward and a backward one. Before the second epoch its start counts as nothing,
        because the start of the first includes that of the machine.
        """
        if self._epoch == self._epochs:
            return 0.0
        end_s = self._end_s
        if end_s is None:
            end_s = self._val_size * self.step_s / self._images / 3 if self._images else 0.0
        start_s = max(0.0, self._first_s - self.step_s) if self._epochs_done else 0.0
        this_epoch_s = (self._of - self._done) * self.step_s + end_s
        if self._done == self._of:
            this_epoch_s = max(0.0, end_s - (now - self._latest_s))
        return this_epoch_s + (self._epochs - self._epoch - 1) * (self._of * self.step_s + start_s + end_s)


def clock(seconds: float) -> str:
    """Seconds as 0:09, 12:34 or 1:02:03."""
    minutes, s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{s:02}" if hours else f"{minutes}:{s:02}"
