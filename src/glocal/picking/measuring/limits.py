"""What a candidate may cost: exact counts first, then what is measured on the device. Each refusal names its number."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from glocal.design.text import count
from glocal.picking.candidates import Candidate, Refused
from glocal.picking.settings import PickSettings

SPARE = 0.05
"""Of a limit on what is measured: another measurement of the same network, on the same machine, differs by some percent."""


@dataclass(frozen=True)
class Footprint:
    """What one picture takes on a device: the median and the upper quartile of its milliseconds, and the bytes of memory.

    memory_bytes: of weights and activations, counted; of an exported file what a process takes for it, the runtime included.
    file_bytes: of an exported file; None in PyTorch.
    """

    p50_ms: float
    p75_ms: float
    memory_bytes: int
    file_bytes: int | None = None


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
    """The candidates whose latency, memory and file are within the limits, by a share of `SPARE` where they are measured, and
    those that are not. Of latency the upper quartile counts: it holds when the processor is slower for a while."""
    kept, refused = [], []
    for each in candidates:
        found = footprints[each.name]
        measured = found.file_bytes is not None
        rows = (
            ("latency", "upper quartile of latency", "ms", 1.0, found.p75_ms, settings.max_latency_ms, True),
            ("memory", "memory", "MB", 1e6, found.memory_bytes, settings.max_memory_bytes, measured),
            ("file", "file", "MB", 1e6, found.file_bytes or 0, settings.max_file_bytes, measured),
        )
        reasons = [
            f"{what} {number / unit:.2f} {symbol}, {'over' if number > limit else f'within {SPARE:.0%} of'} "
            f"--max-{flag} {limit / unit:g}{symbol}"
            for flag, what, symbol, unit, number, limit, has_noise in rows
            if limit is not None and number > limit * (1 - SPARE * has_noise)
        ]
        if reasons:
            refused.append(Refused(each.name, "; ".join(reasons)))
        else:
            kept.append(each)
    return tuple(kept), tuple(refused)
