"""Backbones of about the same multiply-adds under one feature pyramid, and their training as classifiers.

    python examples/backbones.py CIFAR FOLDER        # trains each for the same processor time: FOLDER/weights/NAME.safetensors

A network of glocal is stored as `glocal train` stores one, so that the best weights of a run may be put there instead.
"""

import argparse
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch
from safetensors.torch import load_file, save_file
from scenes import SIDE
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode
from torchvision.datasets import ImageFolder
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.resnet import BasicBlock, ResNet
from torchvision.ops import FeaturePyramidNetwork
from torchvision.transforms.functional import pil_to_tensor

import glocal
from glocal.data.batches.preprocess import Preprocess
from glocal.design import Act, Conv, Pool, Stage, adapt
from glocal.families import coatnet, compact, glit
from glocal.families.coatnet import RelativeTransformer
from glocal.families.compact import CompactLayer
from glocal.families.glit import GLiTBlock
from glocal.net.network import Network
from glocal.net.pyramid import Pyramid
from glocal.weights import Model, load_model, save_model

MEAN, STD = (0.49, 0.46, 0.42), (0.25, 0.25, 0.26)  # about those of photographs; of all networks and all three tasks
STRIDES = 8, 16, 32
CLASSIFIED = 64  # pixels of a classifier's pictures: their objects are as large as those of the scenes
WIDTH = 64  # channels of the pyramid


class HalfResNet(ResNet):
    """torchvision's ResNet whose stages have half the channels; the stem keeps its 64."""

    def _make_layer(
        self, block: type[BasicBlock], planes: int, blocks: int, stride: int = 1, dilate: bool = False
    ) -> nn.Sequential:
        return super()._make_layer(block, planes // 2, blocks, stride, dilate)


def resnet(classes: int, kind: type[ResNet]) -> ResNet:
    """ResNet-18 or its half."""
    network = kind(BasicBlock, [2, 2, 2, 2])
    network.fc = nn.Linear(next(reversed([*network.layer4.parameters()])).shape[0], classes)
    return network


def convnext_atto(classes: int) -> Network:
    """timm's smallest ConvNeXt of four stages."""
    return glocal.create_model("convnext_atto", num_classes=classes, img_size=CLASSIFIED, drop_path_rate=0.0)


def coatnet_small(classes: int) -> Network:
    """CoAtNet with MBConv at strides 4 and 8 and relative attention at 16 and 32."""
    widths, heads = (32, 48, 96, 160, 256), RelativeTransformer(32)
    arch = coatnet.coatnet("coatnet_small_scale", (1, 2, 3, 1), widths, layout="CCTT", transformer=heads)
    return Network(adapt(arch, size=CLASSIFIED, classes=classes))


def cct_small(classes: int) -> Network:
    """CCT: two convolutions to stride 8, then four layers; one level."""
    pool = Act("relu"), Pool("max", 3, 2, 1)
    stem = Conv(32, 3, 2, bias=False), *pool, Conv(128, 3, bias=False), *pool
    arch = compact.compact("cct_small_scale", stem, layers=2, size=CLASSIFIED, classes=classes)
    return Network(replace(arch, stages=(Stage(128, (CompactLayer(4, 2.0),) * 4),), drop_path=0.0))


def glit_small(classes: int) -> Network:
    """GLiT: patches of 8; two blocks mostly local, two mixed, one global; one level."""
    blocks = tuple(GLiTBlock(3, local, mlp=3.0) for local in (2, 2, 1, 1, 0))
    arch = glit.glit("glit_small_scale", blocks, width=120, patch=8, size=CLASSIFIED)
    return Network(replace(adapt(arch, classes=classes), drop_path=0.0))


NETWORKS: dict[str, Callable[[int], ResNet | Network]] = {
    "resnet18_half": lambda classes: resnet(classes, HalfResNet),
    "resnet18": lambda classes: resnet(classes, ResNet),
    "convnext_atto": convnext_atto,
    "coatnet": coatnet_small,
    "cct": cct_small,
    "glit": glit_small,
}


class OneLevel(nn.Module):
    """Three maps from the one of a network without stages, by max-pooling, each with a norm (as ViTDet, Li et al. 2022)."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.pyramid = network.features()
        (width,) = self.pyramid.widths
        self.widths = (width,) * 3
        self.norms = nn.ModuleList(nn.GroupNorm(1, width) for _ in range(3))

    def forward(self, x_BCHW: Tensor) -> list[Tensor]:
        """Pictures to maps at strides 8, 16 and 32."""
        maps = self.pyramid(x_BCHW)
        while len(maps) < len(self.norms):
            maps.append(functional.max_pool2d(maps[-1], 2))
        return [norm(each) for norm, each in zip(self.norms, maps, strict=True)]


class ResNetLevels(nn.Module):
    """The three last stages of a ResNet of torchvision."""

    def __init__(self, network: ResNet) -> None:
        super().__init__()
        self.widths = tuple(
            [*stage.parameters()][-1].shape[0] for stage in (network.layer2, network.layer3, network.layer4)
        )
        self.stages = IntermediateLayerGetter(network, {"layer2": "0", "layer3": "1", "layer4": "2"})

    def forward(self, x_BCHW: Tensor) -> list[Tensor]:
        """Pictures to maps at strides 8, 16 and 32."""
        return [*self.stages(x_BCHW).values()]


def levels(network: ResNet | Network) -> OneLevel | ResNetLevels | Pyramid:
    """The maps of a network at strides 8, 16 and 32, for pictures of `SIDE`; with the number of channels of each as `widths`."""
    if isinstance(network, ResNet):
        return ResNetLevels(network)
    network = network.resized(SIDE)
    there = network.features().strides
    if len(there) == 1:
        return OneLevel(network)
    return network.features([there.index(stride) for stride in STRIDES], norm=True)


class Backbone(nn.Module):
    """A network under torchvision's FPN: maps "0", "1" and "2" of `WIDTH` channels at strides 8, 16 and 32."""

    def __init__(self, network: ResNet | Network) -> None:
        super().__init__()
        self.levels, self.out_channels = levels(network), WIDTH
        self.fpn = FeaturePyramidNetwork(list(self.levels.widths), WIDTH)

    def forward(self, x_BCHW: Tensor) -> dict[str, Tensor]:
        """Normalised pictures to maps."""
        return self.fpn(dict(zip("012", self.levels(x_BCHW), strict=True)))


def backbone(name: str, weights: Path | None = None) -> Backbone:
    """One of `NETWORKS` under an FPN, with its first values, or with the weights of a classifier."""
    if weights is None:
        return Backbone(NETWORKS[name](10))
    if not name.startswith("resnet"):
        return Backbone(load_model(weights).network)
    tensors = load_file(weights)
    network = NETWORKS[name](len(tensors["fc.bias"]))
    network.load_state_dict(tensors)
    return Backbone(network)


def multiply_adds(module: nn.Module, side: int = SIDE) -> int:
    """Of one picture through a module, as PyTorch's counter counts them."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module.eval()(torch.zeros(1, 3, side, side))
    return counter.get_total_flops() // 2


def normalised(pictures: Tensor) -> Tensor:
    """uint8 pictures BCHW as the networks read them."""
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in (MEAN, STD))
    return (pictures / 255 - mean) / std


Update = Callable[[], Tensor]
"""The loss of a new batch."""


def steps_in(seconds: float, losses: Mapping[str, tuple[nn.Module, Update]], *, rounds: int = 5) -> dict[str, int]:
    """How many updates each model makes in so many seconds of processor time. The models are measured in turns, so that other
    work on the machine slows all of them alike; the median of the rounds counts. They are spoiled by it."""
    optimizers = {name: optimizer_of(model) for name, (model, _) in losses.items()}
    times: dict[str, list[float]] = {name: [] for name in losses}
    for _ in range(rounds + 1):
        for name, (model, loss) in losses.items():
            start = time.process_time()
            update(model, optimizers[name], loss())
            times[name].append(time.process_time() - start)
    return {name: max(1, round(seconds / median(found[1:]))) for name, found in times.items()}


def fit(model: nn.Module, loss: Update, steps: int, *, rate: float = 1e-3) -> None:
    """Updates a model; the learning rate rises over the first twentieth of the steps and falls as a cosine."""
    model.train()
    optimizer = optimizer_of(model)
    for i in range(steps):
        done = (i + 1) / (steps + 1)
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, 20 * done) * 0.5 * (1 + math.cos(math.pi * done))
        update(model, optimizer, loss())


def optimizer_of(model: nn.Module) -> torch.optim.Optimizer:
    """AdamW, the same for all networks and tasks; its learning rate is `fit`'s."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return torch.optim.AdamW(parameters, lr=0.0, weight_decay=0.05)


def update(model: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """One update, with the gradient's length cut to 1."""
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


def classification(network: nn.Module, pictures: Tensor, labels: Tensor) -> Update:
    """The loss of uint8 pictures BCHW as a classifier: 32 at a time, enlarged, mirrored and shifted at random."""

    def loss() -> Tensor:
        chosen = torch.randint(len(labels), (32,))
        x = functional.interpolate(normalised(pictures[chosen]), (CLASSIFIED,) * 2, mode="bilinear")
        x = torch.where(torch.rand(32, 1, 1, 1) < 0.5, x.flip(3), x)
        x = x.roll(tuple(torch.randint(-8, 9, (2,)).tolist()), (2, 3))
        return functional.cross_entropy(network(x), labels[chosen], label_smoothing=0.1)

    return loss


@torch.no_grad()
def accuracy(network: nn.Module, pictures: Tensor, labels: Tensor) -> float:
    """The share of pictures that are classified rightly."""
    batches = zip(pictures.split(100), labels.split(100), strict=True)
    right = [
        (network(functional.interpolate(normalised(x), (CLASSIFIED,) * 2, mode="bilinear")).argmax(1) == y).sum()
        for x, y in batches
    ]
    return float(sum(right) / len(labels))


def _pictures(folder: Path, most: int) -> tuple[Tensor, Tensor, list[str]]:
    """At most so many pictures of FOLDER/CLASS, evenly from all classes."""
    found = ImageFolder(folder)
    chosen = range(0, len(found), max(1, len(found) // most))
    return (
        torch.stack([pil_to_tensor(found[i][0]) for i in chosen]),
        torch.tensor([found.targets[i] for i in chosen]),
        found.classes,
    )


def main() -> None:
    """Trains and stores each network, and prints its cost and accuracy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cifar", type=Path, help="folder with train/CLASS and test/CLASS")
    parser.add_argument("folder", type=Path, help="where weights/NAME.safetensors is written")
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--seconds", type=float, default=60.0, help="processor time of each network")
    parser.add_argument("--steps", type=int, help="in place of seconds")
    options = parser.parse_args()
    torch.set_num_threads(1)
    (x, y, classes), held = _pictures(options.cifar / "train", 20_000), _pictures(options.cifar / "test", 2000)
    networks = {name: NETWORKS[name](len(classes)).train() for name in options.networks.split(",")}
    losses = {name: (network, classification(network, x, y)) for name, network in networks.items()}
    steps = dict.fromkeys(networks, options.steps) if options.steps else steps_in(options.seconds, losses)
    (options.folder / "weights").mkdir(parents=True, exist_ok=True)
    print(
        "| network | multiply-adds at 96 px | parameters | steps | top-1, held out |\n|---|---|---|---|---|", flush=True
    )
    for name in networks:
        torch.manual_seed(0)
        network = NETWORKS[name](len(classes))
        fit(network, classification(network, x, y), steps[name])
        _store(options.folder / "weights" / f"{name}.safetensors", network.eval(), classes)
        macs, params = multiply_adds(levels(network)) / 1e6, sum(p.numel() for p in network.parameters()) / 1e6
        right = f"{accuracy(network, *held[:2]):.1%} of {len(held[1])}"
        print(f"| `{name}` | {macs:.0f} M | {params:.1f} M | {steps[name]} | {right} |", flush=True)


def _store(file: Path, network: ResNet | Network, classes: list[str]) -> None:
    if isinstance(network, ResNet):
        save_file(network.state_dict(), file)
        return
    preprocess = Preprocess((CLASSIFIED,) * 2, mean=MEAN, std=STD)
    save_model(file, Model(network, tuple(classes), preprocess.to_json()))


if __name__ == "__main__":
    main()
