"""What a candidate may cost: exact counts first, then what is measured on the device. Each refusal names its number."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from glocal.design.text import count
from glocal.picking.candidates import Candidate, Refused
from glocal.picking.settings import PickSettings


@dataclass(frozen=True)
class Footprint:
    """What one picture takes on a device: the median and the 95th percentile of its milliseconds, and the bytes of memory."""

    p50_ms: float
    p95_ms: float
    memory_bytes: int


Measure = Callable[[Sequence[Candidate], torch.device], Mapping[str, Footprint]]
"""Measures candidates in the form in which they would be deployed."""


def within_counts(
    candidates: Sequence[Candidate], settings: PickSettings
) -> tuple[tuple[Candidate, ...], tuple[Refused, ...]]:
    """The candidates whose parameters and multiply-adds are within the limits, and those that are not."""
    kept, refused = [], []
    for each in candidates:
        reasons = [
            f"{count(number)} {unit}, over --max-{flag} {count(int(limit))}"
            for flag, unit, number, limit in (
                ("params", "parameters", each.cost.params, settings.max_params),
                ("macs", "multiply-adds", each.cost.macs, settings.max_macs),
            )
            if limit is not None and number > limit
        ]
        if reasons:
            refused.append(Refused(each.name, "; ".join(reasons)))
        else:
            kept.append(each)
    return tuple(kept), tuple(refused)


def within_measured(
    candidates: Sequence[Candidate], footprints: Mapping[str, Footprint], settings: PickSettings
) -> tuple[tuple[Candidate, ...], tuple[Refused, ...]]:
    """The candidates whose latency and memory are within the limits, and those that are not."""
    kept, refused = [], []
    for each in candidates:
        found, reasons = footprints[each.name], []
        if settings.max_latency_ms is not None and found.p50_ms > settings.max_latency_ms:
            reasons.append(f"{found.p50_ms:.2f} ms a picture, over --max-latency {settings.max_latency_ms:g}ms")
        if settings.max_memory_bytes is not None and found.memory_bytes > settings.max_memory_bytes:
            reasons.append(
                f"{found.memory_bytes / 1e6:.1f} MB, over --max-memory {settings.max_memory_bytes / 1e6:g}MB"
            )
        if reasons:
            refused.append(Refused(each.name, "; ".join(reasons)))
        else:
            kept.append(each)
    return tuple(kept), tuple(refused)
