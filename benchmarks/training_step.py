"""A training step of ours against the same network written by hand, module by module: time, memory, and the same losses.

    python benchmarks/training_step.py [name ...] [--repeats 5] [--steps 2] [--threads 2]

Networks against timm's of the same function, at 224 pixels and small batches; ConvMixer-256/8 (k 5, p 2) against the
authors' plain nn.Sequential (32 pixels, batch 64). No stochastic depth. A step is forward, cross-entropy, backward, AdamW,
in float32 on the CPU, with memory kept from step to step for both, as `glocal train` does.

Time: rounds of `steps` steps of ours and of theirs in turn, after one warm-up round each; the median of `repeats` rounds.
Memory: two processes that import the same modules and take three steps; the peak resident set (VmHWM, Linux) above that
after the imports. Losses: our weights are copied into theirs, and both take ten steps on the same pictures.
"""

import argparse
import json
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

import glocal
from glocal.families.catalogue import timm_arguments
from glocal.machine.device import keep_memory
from glocal.weights import export
from glocal.weights.tables import LOCUSLAB, TIMM_COATNET, TIMM_CONVMIXER, TIMM_CONVNEXT, TIMM_VIT, Source

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import timm


class Residual(nn.Module):
    """The authors' residual wrapper."""

    def __init__(self, fn: nn.Module) -> None:
        super().__init__()
        self.fn = fn

    def forward(self, x: Tensor) -> Tensor:
        """fn(x) + x."""
        return self.fn(x) + x


def plain_convmixer() -> nn.Module:
    h, d, k, p = 256, 8, 5, 2
    block = [
        nn.Sequential(
            Residual(nn.Sequential(nn.Conv2d(h, h, k, groups=h, padding=k // 2), nn.GELU(), nn.BatchNorm2d(h))),
            *(nn.Conv2d(h, h, 1), nn.GELU(), nn.BatchNorm2d(h)),
        )
        for _ in range(d)
    ]
    stem = nn.Conv2d(3, h, p, p), nn.GELU(), nn.BatchNorm2d(h)
    return nn.Sequential(*stem, *block, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(h, 10))


def timm_network(name: str) -> nn.Module:
    """timm's network of the same function."""
    arguments = timm_arguments(name)
    assert arguments is not None
    return timm.create_model(**arguments)


# name of ours, what theirs is made by, names that copy the weights, side, batch, classes
CASES: dict[str, tuple[str, Callable[[], nn.Module], Source, int, int, int]] = {
    "vit_tiny": ("timm", lambda: timm.create_model("vit_tiny_patch16_224"), TIMM_VIT, 224, 8, 1000),
    "deit_tiny": ("timm", lambda: timm.create_model("deit_tiny_patch16_224"), TIMM_VIT, 224, 8, 1000),
    "convnext_tiny": ("timm", lambda: timm.create_model("convnext_tiny"), TIMM_CONVNEXT, 224, 4, 1000),
    "coatnet_0": ("timm", lambda: timm_network("coatnet_0"), TIMM_COATNET, 224, 4, 1000),
    "convmixer_768_32": ("timm", lambda: timm.create_model("convmixer_768_32"), TIMM_CONVMIXER, 224, 1, 1000),
    "convmixer_256_8_p2_k5_32": ("plain", plain_convmixer, LOCUSLAB, 32, 64, 10),
}


class Trainer:
    """A network, its optimiser and one batch."""

    def __init__(self, network: nn.Module, *, side: int, batch: int, classes: int) -> None:
        self.network = network.train()
        self.optimiser = torch.optim.AdamW(network.parameters(), lr=5e-4, weight_decay=0.05)
        draw = torch.Generator().manual_seed(0)
        self.x = torch.randn(batch, 3, side, side, generator=draw)
        self.y = torch.randint(classes, (batch,), generator=draw)

    def step(self) -> float:
        """The loss before the step."""
        self.optimiser.zero_grad()
        loss = nn.functional.cross_entropy(self.network(self.x), self.y)
        loss.backward()
        self.optimiser.step()
        return loss.item()


def pair(name: str) -> tuple[Trainer, Trainer]:
    """Ours, and theirs with our weights."""
    _, make, source, side, batch, classes = CASES[name]
    torch.manual_seed(0)
    ours, theirs = glocal.create_model(name, drop_path_rate=0.0), make()
    theirs.load_state_dict({key: t.clone() for key, t in export(ours, source).items()})
    return tuple(Trainer(n, side=side, batch=batch, classes=classes) for n in (ours, theirs))  # type: ignore[return-value]


def seconds(trainers: tuple[Trainer, Trainer], *, repeats: int, steps: int) -> list[float]:
    """Median time of a step of ours and of theirs."""
    times: list[list[float]] = [[], []]
    for i in range(repeats + 1):
        for which in (0, 1) if i % 2 else (1, 0):
            start = time.perf_counter()
            for _ in range(steps):
                trainers[which].step()
            times[which].append((time.perf_counter() - start) / steps)
    return [median(t[1:]) for t in times]


def memory(name: str, which: str, threads: int) -> float:
    """MiB that three steps add to the peak resident set of a process of their own."""
    call = [sys.executable, __file__, "--memory-of", name, which, "--threads", str(threads)]
    return json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout)


def peak_mib() -> float:
    """Peak resident set of this process (VmHWM; ru_maxrss would start at that of the process that started this one)."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def peak_of_three_steps(name: str, which: str) -> float:
    _, make, _, side, batch, classes = CASES[name]
    before = peak_mib()
    network = glocal.create_model(name) if which == "ours" else make()
    trainer = Trainer(network, side=side, batch=batch, classes=classes)
    for _ in range(3):
        trainer.step()
    return peak_mib() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(CASES))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory-of", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.memory_of:
        print(peak_of_three_steps(*args.memory_of))
        return
    keep_memory(torch.device("cpu"))
    print(f"torch {torch.__version__}, timm {timm.__version__}, {args.threads} threads, float32")
    wide = (-26, -7, 8, 8, 6, 9, 8, 6, 9)
    heads = ("network", "against", "ms ours", "theirs", "ratio", "MiB ours", "theirs", "ratio", "loss gap")
    print(" ".join(f"{head:<{-w}}" if w < 0 else f"{head:>{w}}" for head, w in zip(heads, wide, strict=True)))
    for name in args.names:
        against = CASES[name][0]
        a, b = pair(name)
        gap = max(abs(a.step() - b.step()) for _ in range(10))
        ours, theirs = seconds((a, b), repeats=args.repeats, steps=args.steps)
        ours_mib, theirs_mib = (memory(name, which, args.threads) for which in ("ours", "theirs"))
        print(
            f"{name:<26} {against:<7} {ours * 1e3:>8.0f} {theirs * 1e3:>8.0f} {ours / theirs:>6.3f} "
            f"{ours_mib:>9.0f} {theirs_mib:>8.0f} {ours_mib / theirs_mib:>6.3f} {gap:>9.1e}"
        )
    print("loss gap: the largest difference of the two losses over ten steps from the same weights")


if __name__ == "__main__":
    main()
