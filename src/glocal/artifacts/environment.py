"""The environment of a run: versions, processor, threads, and the state of the git checkout."""

import platform
import subprocess
from importlib import metadata
from typing import Any


def environment() -> dict[str, Any]:
    """Versions and machine, which reproducing a number needs."""
    import torch

    from glocal.net.timing.latency import processor

    names = ("glocal", "torch", "torchvision", "timm", "numpy", "pillow", "scikit-learn")
    versions = {name: installed_version(name) for name in names}
    return {
        "python": platform.python_version(),
        "versions": versions,
        "platform": platform.platform(),
        "processor": processor(),
        "threads": torch.get_num_threads(),
        "git": _git_state(),
    }


def installed_version(name: str) -> str | None:
    """Of a package; None where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _git_state() -> str | None:
    """The commit of the current folder, with "-dirty" where files differ from it."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() or None
