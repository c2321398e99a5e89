"""How long networks take on this machine: seconds for one picture in training and in evaluation, measured on noise."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch.nn import functional

from glocal.machine.device import autocasts, keep_memory
from glocal.machine.threads import threads as number_of_threads
from glocal.net.timing.latency import wait_for
from glocal.weights import AnyArchitecture, build_network

_CALLS, _ENOUGH_S = 3, 1.0


def training_seconds(
    archs: Sequence[AnyArchitecture],
    *,
    batch_size: int,
    amp: str,
    device: torch.device,
    threads: int,
    at_once: int = 1,
) -> float:
    """Seconds for one picture in training, the mean over the networks: forward, backward and step, batch by batch.

    amp: of the recipe, which computes in bfloat16 where that is faster. threads: of torch, for each network. at_once: networks
    that train at the same time, which slow each other where they share a cache or memory.
    """
    bf16 = autocasts(amp, device)

    def seconds(arch: AnyArchitecture) -> float:
        network = build_network(arch).to(device).train()
        optimizer = torch.optim.AdamW(network.parameters(), lr=0.0, fused=True)
        x = torch.randn(batch_size, *arch.image, device=device)

        def step() -> None:
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                loss = functional.log_softmax(network(x), 1).mean()
            torch.autograd.backward(loss)
            optimizer.step()
            optimizer.zero_grad()

        return _median_seconds(step, device) / batch_size

    keep_memory(device)
    return _mean(seconds, archs, threads=threads, at_once=at_once)


def evaluation_seconds(
    archs: Sequence[AnyArchitecture], *, batch_size: int, device: torch.device, threads: int, at_once: int = 1
) -> float:
    """Seconds for one picture forward, the mean over the networks; arguments as for `training_seconds`."""

    @torch.inference_mode()
    def seconds(arch: AnyArchitecture) -> float:
        network, x = build_network(arch).to(device).eval(), torch.randn(batch_size, *arch.image, device=device)
        return _median_seconds(lambda: network(x), device) / batch_size

    keep_memory(device)
    return _mean(seconds, archs, threads=threads, at_once=at_once)


def _mean(
    seconds: Callable[[AnyArchitecture], float], archs: Sequence[AnyArchitecture], *, threads: int, at_once: int
) -> float:
    with number_of_threads(threads), ThreadPoolExecutor(at_once) as pool:
        return statistics.mean(pool.map(seconds, [*archs] * math.ceil(at_once / len(archs))))


def _median_seconds(call: Callable[[], object], device: torch.device) -> float:
    """Of three calls, or as many as fill a second, after one that is not timed."""

    def seconds() -> float:
        started = time.perf_counter()
        call()
        wait_for(device)
        return time.perf_counter() - started

    seconds()
    times = [seconds()]
    while len(times) < _CALLS and sum(times) < _ENOUGH_S:
        times.append(seconds())
    return statistics.median(times)
