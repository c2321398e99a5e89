"""What is installed and what the machine can do, for `glocal doctor` and for bug reports."""

import os
import platform
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from glocal.artifacts.environment import installed_version
from glocal.caches import usage
from glocal.machine.device import autocasts, pick_device


@dataclass(frozen=True)
class Diagnosis:
    """The installation and the machine. `missing` are sentences that say what to install for what."""

    system: dict[str, str]
    packages: dict[str, str]
    caches: dict[str, str]
    missing: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def diagnose() -> Diagnosis:
    """Looks at this process: it loads torch, and torchvision as a check that both fit, and changes nothing."""
    import torch

    from glocal.net.timing.latency import processor

    device = pick_device("auto")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    disk = shutil.disk_usage(Path.cwd())
    system = {
        "glocal": metadata.version("glocal"),
        "python": f"{platform.python_version()} ({sys.executable})",
        "platform": platform.platform(),
        "processor": processor(),
        "instructions": ", ".join(_instructions()) or "unknown",
        "cores": f"{os.cpu_count()}, torch computes with {torch.get_num_threads()} threads",
        "memory": f"{memory / 2**30:,.1f} GiB" if memory else "unknown",
        "disk here": f"{disk.free / 2**30:,.1f} of {disk.total / 2**30:,.1f} GiB free",
        "device": _device_name(device.type),
        "precision": "bf16" if autocasts("auto", device) else "fp32 (no bfloat16 instructions)",
    }
    requirements = [Requirement(text) for text in metadata.requires("glocal") or ()]
    needed = [r for r in requirements if r.marker is None]
    extras = [r for r in requirements if r.marker is not None]
    packages = {r.name: installed_version(r.name) or "not installed" for r in needed}
    packages |= {r.name: version for r in extras if (version := installed_version(r.name))}
    caches = {
        each.cache.name: f"{each.files:,} files, {each.size_bytes / 2**20:,.1f} MiB in {each.folder}"
        for each in usage()
    }
    return Diagnosis(system, packages, caches, tuple(_missing(needed, extras)))


def _instructions() -> list[str]:
    """The vector instructions of the processor that matter for speed."""
    import torch

    found: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return [name for name, there in found.items() if there is True]


def _device_name(kind: str) -> str:
    import torch

    if kind == "cuda":
        return f"cuda: {torch.cuda.get_device_name()}, {torch.cuda.device_count()} of them"
    return kind


def _missing(needed: list[Requirement], extras: list[Requirement]) -> list[str]:
    """Packages that are missing or too old, torchvision that does not fit torch, and extras that are not installed."""
    lines = []
    for requirement in needed:
        version = installed_version(requirement.name)
        if version is None:
            lines.append(f"{requirement.name} is needed: pip install '{requirement}'")
        elif not requirement.specifier.contains(version, prereleases=True):
            lines.append(
                f"{requirement.name} {version} does not satisfy {requirement.specifier}: pip install '{requirement}'"
            )
    if util.find_spec("torchvision"):
        try:
            import torchvision  # noqa: F401
        except (ImportError, RuntimeError) as error:
            lines.append(f"torchvision does not fit torch ({error}); install both from the same place, in one command")
    by_extra: dict[str, list[str]] = {}
    for requirement in extras:
        extra = str(requirement.marker).partition("extra ==")[2].strip(" '\"")
        if extra != "dev" and installed_version(requirement.name) is None:
            by_extra.setdefault(extra, []).append(requirement.name)
    for extra, names in by_extra.items():
        lines.append(f"extra {extra} is not installed ({', '.join(names)}): pip install 'glocal[{extra}]'")
    return lines
