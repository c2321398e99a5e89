"""What a server counts and measures, in the text format of Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The metrics of one server; two servers in one process do not share them."""

    def __init__(self, max_batch: int) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "glocal_requests", "Requests by route and status.", ("route", "status"), registry=registry
        )
        self.seconds = Histogram(
            "glocal_request_seconds",
            "Time from a request's headers to the end of its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.refused = Counter(
            "glocal_refused", "Requests that were refused, by reason.", ("reason",), registry=registry
        )
        self.pictures = Counter("glocal_pictures", "Pictures that were predicted.", registry=registry)
        sizes = sorted({*(2**i for i in range(max_batch.bit_length())), max_batch})
        self.batches = Histogram("glocal_batch_size", "Pictures in a batch.", buckets=sizes, registry=registry)
        self.batch_seconds = Histogram(
            "glocal_batch_seconds", "Time of a batch in the network.", buckets=_SECONDS, registry=registry
        )
        self.held = Gauge(
            "glocal_queue_pictures", "Pictures that are decoded, wait or are computed.", registry=registry
        )
        self.body_bytes = Gauge(
            "glocal_body_bytes", "Bytes of the bodies of requests in the server.", registry=registry
        )

    def text(self) -> bytes:
        """All metrics, as Prometheus reads them."""
        return generate_latest(self._registry)
