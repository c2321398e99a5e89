"""The answer to a request that is not served: its status code and the reason."""


class Refusal(Exception):  # noqa: N818 - an answer, not a failure of the program
    """status: the HTTP status. kind: one word for the metrics. retry_after_s: when to try again, where that helps."""

    def __init__(self, status: int, kind: str, reason: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.kind = kind
        self.retry_after_s = retry_after_s
