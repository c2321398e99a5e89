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
    """Times the forward pass of networks on pictures of (channels, height, width), in evaluation mode, taking turns."""
    x = torch.randn(batch_size, *size, device=device)
    ready = {name: network.to(device).eval() for name, network in networks.items()}
    taken: dict[str, list[float]] = {name: [] for name in ready}
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for i in range(warmup + rounds):
            for name, network in ready.items():
                seconds = _timed(lambda network=network: network(x), device)  # type: ignore[misc]
                if i >= warmup:
                    taken[name].append(1000 * seconds)
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
