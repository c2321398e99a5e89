"""Measured time of networks, side by side: rounds that take turns, so that a busy machine slows all of them alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one forward pass at a batch size: median and 95th percentile over the rounds."""

    batch_size: int
    p50_ms: float
    p95_ms: float

    @property
    def images_per_s(self) -> float:
        """Throughput at the median."""
        return 1000 * self.batch_size / self.p50_ms


def measure(
    networks: Mapping[str, nn.Module],
    size: tuple[int, int, int],
    *,
    batch_size: int,
    device: torch.device,
    rounds: int = 30,
    warmup: int = 5,
    bf16: bool = False,
) -> dict[str, Timing]:
    """Times the forward pass of networks on pictures of (channels, height, width), in evaluation mode, taking turns.

    `rounds` passes of each are timed, after `warmup` that are not. A turn is three passes after one that is not timed,
    which finds the caches as the others left them: a network that is in use runs warm.
    """
    x = torch.randn(batch_size, *size, device=device)
    ready = [(name, network.to(device).eval()) for name, network in networks.items()]
    taken: dict[str, list[float]] = {name: [] for name, _ in ready}
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for _, network in ready * warmup:
            network(x)
        turn = 0
        while any(len(ms) < rounds for ms in taken.values()):
            first = turn % len(ready)  # nobody always comes first, or after the same other
            for name, network in (*ready[first:], *ready[:first]):
                ms = [1000 * _timed(lambda network=network: network(x), device) for _ in range(4)]  # type: ignore[misc]
                taken[name] += ms[1:]
            turn += 1
    return {
        name: Timing(batch_size, statistics.median(ms), statistics.quantiles(ms, n=20)[-1])
        for name, ms in taken.items()
    }


def _timed(call: Callable[[], object], device: torch.device) -> float:
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    wait()
    start = time.perf_counter()
    call()
    wait()
    return time.perf_counter() - start
