"""Forward speed beside timm's networks of the same function, in turns: `python benchmarks/forward.py [--bf16] [name ...]`.

Prints, for each network and batch size, the median milliseconds of both and theirs over ours (above 1: ours is faster),
and the same after `fuse`. Memory is kept from pass to pass for all of them, as glocal's commands do: otherwise pages that come
and go take up to a fifth of a pass at batch 8, and not the same part of each.
"""

import argparse

import timm
import torch

import glocal
from glocal.families.catalogue import timm_arguments
from glocal.machine.device import keep_memory
from glocal.net.fuse import fuse
from glocal.net.timing.latency import measure

NETWORKS = ("convnext_tiny", "convmixer_768_32", "coatnet_0", "deit_tiny")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=NETWORKS)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--batch-size", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    device = torch.device(given.device)
    keep_memory(device)
    print(f"{device}, {torch.get_num_threads()} threads, torch {torch.__version__}, {'bf16' if given.bf16 else 'fp32'}")
    print(f"{'network':<18} {'batch':>5} {'timm ms':>9} {'ours ms':>9} {'ratio':>6} {'fused ms':>9} {'ratio':>6}")
    for name in given.names:
        torch.manual_seed(0)
        ours, arguments = glocal.create_model(name).eval(), timm_arguments(name)
        assert arguments is not None, f"timm has no {name}"
        rivals = {"timm": timm.create_model(**arguments).eval(), "ours": ours, "fused": fuse(ours)}
        for batch_size in given.batch_size:
            told = measure(
                rivals, ours.arch.image, batch_size=batch_size, device=device, rounds=given.rounds, bf16=given.bf16
            )
            theirs, eager, fused = (told[who].p50_ms for who in ("timm", "ours", "fused"))
            print(
                f"{name:<18} {batch_size:>5} {theirs:>9.1f} {eager:>9.1f} {theirs / eager:>6.2f}"
                f" {fused:>9.1f} {theirs / fused:>6.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
