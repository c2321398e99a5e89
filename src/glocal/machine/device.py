"""The device that a run computes on, and its precision."""

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
        raise RecipeError(f"--device {name!r} is unknown; give auto, cpu, cuda, cuda:0 or mps") from None
    available = {
        "cpu": 1,
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
    }.get(device.type, 0)
    if (device.index or 0) >= available:
        raise RecipeError(
            f"--device {name}: this machine has {available} of that kind; --device auto chooses what it has"
        )
    return device


def autocasts(amp: str, device: torch.device) -> bool:
    """Whether to compute in bfloat16: "bf16" always, "off" never, "auto" where the hardware multiplies in it.

    A CPU without such instructions is slower in bf16 than in fp32. The decision does not depend on a timing, so that the
    same seed gives the same bits.
    """
    if amp != "auto":
        return amp == "bf16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    can: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return device.type == "cpu" and bool(can.get("amx_bf16") or can.get("avx512_bf16"))


def keep_memory(device: torch.device) -> None:
    """Lets glibc reuse the memory of large tensors on a CPU instead of returning it to the kernel after each batch.

    Otherwise each batch asks for its activations again, page by page, which takes up to a third of its time (docs/log.md). Has no
    effect elsewhere.
    """
    if device.type == "cpu" and sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallopt"):
        m_trim_threshold, m_mmap_threshold = -1, -3  # malloc.h
        ctypes.CDLL(None).mallopt(m_mmap_threshold, 2**30)
        ctypes.CDLL(None).mallopt(m_trim_threshold, 2**31 - 1)
