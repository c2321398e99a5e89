"""One table for a GPU in eight minutes: `python benchmarks/gpu.py [--pictures FOLDER] [--small]`.

For each network: images/s of the forward pass and of the training step in bfloat16, eager and compiled, ours and timm's, in
turns. In the minutes that are left cct_7_3x1_32 is trained on CIFAR pictures in a folder with train/CLASS and val/CLASS.
Needs torch, timm, Pillow and glocal alone; `--small` runs a part of it on the CPU.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from glocal.design import adapt
from glocal.families import architecture
from glocal.families.catalogue import timm_arguments
from glocal.net import Network
from glocal.net.timing.latency import device_name, measure_calls

NETWORKS = ("coatnet_0", "convnext_tiny", "convmixer_768_32", "deit_tiny", "cct_14_7x2_224", "glit_tiny")
CIFAR = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


def pair(name: str, *, side: int | None) -> dict[str, nn.Module]:
    """Ours, and timm's where it has the network and the picture size is its own."""
    networks: dict[str, nn.Module] = {"ours": Network(adapt(architecture(name), size=side))}
    if side is None and (arguments := timm_arguments(name)) is not None:
        import timm

        networks["timm"] = timm.create_model(**arguments)
    return networks


def training_step(network: nn.Module, x: Tensor) -> Callable[[], object]:
    """A step of AdamW on one batch."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4)
    labels = torch.zeros(len(x), dtype=torch.long, device=x.device)

    def step() -> None:
        with torch.inference_mode(False), torch.enable_grad():
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(x).float(), labels).backward()
            optimiser.step()

    return step


def rows(name: str, device: torch.device, *, batch_size: int, compiled: bool, side: int | None) -> list[str]:
    """The lines of one network: forward and training, images/s of ours and timm's, and the ratio."""
    networks, found = pair(name, side=side), []
    if compiled:
        for network in networks.values():
            network.compile()
    for what in ("forward", "training"):
        calls: dict[str, Callable[[], object]] = {}
        for label, network in networks.items():
            network.to(device).train(what == "training")
            x = torch.randn(batch_size, 3, *(network_size(networks),) * 2, device=device)
            calls[label] = training_step(network, x) if what == "training" else _forward(network, x)
        taken = measure_calls(calls, device=device, rounds=9, warmup=3, bf16=True)
        speed = {label: 1000 * batch_size / statistics.median(ms) for label, ms in taken.items()}
        theirs = (
            f"{speed['timm']:>10.0f} {speed['ours'] / speed['timm']:>6.2f}"
            if "timm" in speed
            else f"{'-':>10} {'-':>6}"
        )
        kind = "compiled" if compiled else "eager"
        found.append(f"{name:<18} {what:<9} {kind:<9} {batch_size:>5} {speed['ours']:>10.0f} {theirs}")
    return found


def _forward(network: nn.Module, x: Tensor) -> Callable[[], object]:
    return lambda: network(x)


def network_size(networks: dict[str, nn.Module]) -> int:
    """The side of the pictures that a pair reads."""
    ours = networks["ours"]
    assert isinstance(ours, Network)
    return ours.arch.image.h


def read(folder: Path) -> tuple[Tensor, Tensor]:
    """All pictures below a folder of classes: uint8 (n, 3, 32, 32), and their classes."""
    from PIL import Image

    classes = sorted(each for each in folder.iterdir() if each.is_dir())
    pictures, labels = [], []
    for label, each in enumerate(classes):
        for path in sorted(each.iterdir()):
            pictures.append(np.asarray(Image.open(path).convert("RGB").resize((32, 32))))
            labels.append(label)
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous(), torch.tensor(labels)


def train_cct(folder: Path, device: torch.device, *, until: float, batch_size: int = 256) -> str:
    """cct_7_3x1_32 with AdamW, crops and flips until the clock says so; images/s and accuracy."""
    (x, y), (x_val, y_val) = ([t.to(device) for t in read(folder / split)] for split in ("train", "val"))
    mean, std = (torch.tensor(each, device=device)[:, None, None] for each in CIFAR)
    torch.manual_seed(0)
    network = Network(adapt(architecture("cct_7_3x1_32"), classes=int(y.max()) + 1)).to(device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=6e-4, weight_decay=0.06)
    start, seen = time.monotonic(), 0
    while (left := until - time.monotonic()) > 0:
        for group in optimiser.param_groups:
            group["lr"] = 6e-4 * max(0.01, left / (until - start))
        at = torch.randint(len(x), (batch_size,), device=device)
        pictures = ((x[at].float() / 255) - mean) / std
        dx, dy = torch.randint(-4, 5, (2,)).tolist()
        pictures = nn.functional.pad(pictures, (4, 4, 4, 4))[:, :, 4 + dy : 36 + dy, 4 + dx : 36 + dx]
        pictures = torch.where(torch.rand(batch_size, 1, 1, 1, device=device) < 0.5, pictures.flip(3), pictures)
        optimiser.zero_grad()
        with torch.autocast(device.type, torch.bfloat16):
            loss = nn.functional.cross_entropy(network(pictures), y[at], label_smoothing=0.1)
        loss.backward()
        optimiser.step()
        seen += batch_size
    took = time.monotonic() - start
    network.eval()
    with torch.inference_mode():
        parts = [network((part.float() / 255 - mean) / std).argmax(1) for part in x_val.split(512)]
    right = int((torch.cat(parts) == y_val).sum())
    return f"cct_7_3x1_32 trained for {took:.0f} s: {seen / took:,.0f} images/s, top-1 {right / len(y_val):.2%} of {len(y_val):,}"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, help="folder with train/CLASS and val/CLASS")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--small", action="store_true", help="one small network on pictures of 32 x 32, on the CPU")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    until = time.monotonic() + 60 * given.minutes
    device = torch.device("cpu" if given.small or not torch.cuda.is_available() else "cuda")
    print(f"{device_name(device)}, torch {torch.__version__}, bfloat16")
    print(f"{'network':<18} {'what':<9} {'form':<9} {'batch':>5} {'ours im/s':>10} {'timm im/s':>10} {'ratio':>6}")
    for compiled in (False,) if given.small else (False, True):
        for name in ("cct_2_3x2_32",) if given.small else NETWORKS:
            if time.monotonic() > until - 90 and not given.small:
                print(f"{name}: left out, the time is up")
                continue
            batch_size, side = (2, 32) if given.small else (given.batch_size, None)
            print(*rows(name, device, batch_size=batch_size, compiled=compiled, side=side), sep="\n", flush=True)
    if given.pictures:
        until = max(until, time.monotonic() + (1 if given.small else 60))
        print(train_cct(given.pictures, device, until=until, batch_size=4 if given.small else 256))


if __name__ == "__main__":
    main()
