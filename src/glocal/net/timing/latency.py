"""Measured time of networks, side by side: rounds that take turns, so that a busy machine slows all of them alike."""

import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

T = TypeVar("T")


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one forward pass at a batch size: median, upper quartile and 95th percentile over the rounds."""

    batch_size: int
    p50_ms: float
    p75_ms: float
    p95_ms: float

    @classmethod
    def of(cls, ms: Sequence[float], batch_size: int) -> "Timing":
        """From the milliseconds of each round, two or more."""
        twentieths = statistics.quantiles(ms, n=20)
        return cls(batch_size, statistics.median(ms), twentieths[14], twentieths[-1])

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
    least_s: float = 0.0,
    warmup: int = 5,
    bf16: bool = False,
) -> dict[str, Timing]:
    """Times the forward pass of networks on pictures of (channels, height, width), in evaluation mode, taking turns.

    At least `rounds` passes of each are timed, and as many as `least_s` seconds have room for, after `warmup` that are not. A
    turn is three passes after one that is not timed, which finds the caches as the others left them: a network that is in use
    runs warm.
    """
    x = torch.randn(batch_size, *size, device=device)
    calls = {name: partial(network.to(device).eval(), x) for name, network in networks.items()}
    taken = measure_calls(calls, device=device, rounds=rounds, least_s=least_s, warmup=warmup, bf16=bf16)
    return {name: Timing.of(ms, batch_size) for name, ms in taken.items()}


def measure_calls(
    calls: Mapping[T, Callable[[], object]],
    *,
    device: torch.device,
    rounds: int,
    warmup: int,
    bf16: bool,
    least_s: float = 0.0,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[T, list[float]]:
    """Milliseconds of each of at least `rounds` calls, for at least `least_s` seconds in all, without gradients, in turns as
    `measure` says.

    clock: `time.process_time` counts what the threads of this process compute, which other processes hardly change.
    """
    ready = [*calls.items()]
    taken: dict[T, list[float]] = {name: [] for name in calls}
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for _, call in ready * warmup:
            call()
        turn, until = 0, clock() + least_s
        while any(len(ms) < rounds for ms in taken.values()) or clock() < until:
            first = turn % len(ready)  # nobody always comes first, or after the same other
            for name, call in (*ready[first:], *ready[:first]):
                taken[name] += [1000 * _timed(call, device, clock) for _ in range(4)][1:]
            turn += 1
    return taken


def _timed(call: Callable[[], object], device: torch.device, clock: Callable[[], float]) -> float:
    wait_for(device)
    start = clock()
    call()
    wait_for(device)
    return clock() - start


def wait_for(device: torch.device) -> None:
    """Returns when everything that was asked of a GPU is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def device_name(device: torch.device) -> str:
    """What a time is a time of: the name of the GPU, or of the processor."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else processor()


def processor() -> str:
    """The processor's name, whose instructions decide the last bits."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
