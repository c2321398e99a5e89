"""Where a run computes, and in which precision."""

import ctypes
import sys
from typing import Any

import torch

from glocal.errors import RecipeError


def pick_device(name: str) -> torch.device:
    """ "auto", "cpu", "cuda", "cuda:1" or "mps" as a device; RecipeError where the machine has none of that name."""
    if name == "auto":
        return torch.device(
            "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        )
    try:
        device = torch.device(name)
    except RuntimeError:
        raise RecipeError(f"--device {name!r} is unknown; auto, cpu, cuda, cuda:0 or mps") from None
    there = {
        "cpu": 1,
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
    }.get(device.type, 0)
    if (device.index or 0) >= there:
        raise RecipeError(f"--device {name}: this machine has {there} of that kind; --device auto takes what there is")
    return device


def autocasts(amp: str, device: torch.device) -> bool:
    """Whether to compute in bfloat16: as told, or for "auto" where the hardware multiplies in it.

    A CPU without such instructions is slower in bf16 than in fp32, and the answer must not depend on a timing, or the same
    seed would not give the same bits.
    """
    if amp != "auto":
        return amp == "bf16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    can: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return device.type == "cpu" and bool(can.get("amx_bf16") or can.get("avx512_bf16"))


def keep_memory() -> None:
    """Lets glibc keep the memory of large tensors between steps instead of giving it back to the kernel each time.

    A step on a CPU otherwise faults in and zeroes its activations anew, page by page (docs/log.md). Elsewhere: nothing.
    """
    if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallopt"):
        m_trim_threshold, m_mmap_threshold = -1, -3  # malloc.h
        ctypes.CDLL(None).mallopt(m_mmap_threshold, 2**30)
        ctypes.CDLL(None).mallopt(m_trim_threshold, 2**31 - 1)
