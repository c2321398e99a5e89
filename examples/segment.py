"""Trains a head on each backbone's pyramid for the same processor time, and prints a table of mean intersection over union.

    python examples/segment.py FOLDER [--head fpn | upernet]     # after scenes.py and backbones.py, as detect.py

fpn: that of Panoptic FPN (Kirillov et al. 2019) with one layer: the maps of the pyramid are enlarged to the finest, added,
convolved and classified. upernet: the decoder of segmentation_models_pytorch (Xiao et al. 2018), with a pyramid of its own.
Counts are kept as FOLDER/HEAD/NAME-START.npz.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from backbones import WIDTH, Backbone, Update, fit, normalised
from campaign import arguments, runs
from detect import BATCH
from measures import MeanIoU, Trained, table
from scenes import Example, read
from segmentation_models_pytorch.decoders.upernet.decoder import UPerNetDecoder
from segmentation_models_pytorch.metrics import get_stats
from torch import Tensor, nn
from torch.nn import functional


class Segmenter(nn.Module):
    """Scores of each class for each pixel, from the sum of the pyramid's maps."""

    def __init__(self, backbone: Backbone, classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Sequential(
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.GroupNorm(8, WIDTH), nn.ReLU(), nn.Conv2d(WIDTH, classes, 1)
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Normalised pictures to scores (B, classes, H, W)."""
        finest, *others = self.backbone(x_BCHW).values()
        size = finest.shape[2:]
        joined = finest + sum(functional.interpolate(each, size, mode="bilinear") for each in others)
        return functional.interpolate(self.head(joined), x_BCHW.shape[2:], mode="bilinear")


class UPerNet(nn.Module):
    """The same from the network's own maps: pooled at several scales, and joined from the coarsest to the finest."""

    def __init__(self, backbone: Backbone, classes: int) -> None:
        super().__init__()
        self.levels, widths = backbone.levels, list(backbone.levels.widths)
        # It has no use for maps at strides 1 and 2, the first two of its list.
        self.decoder = UPerNetDecoder([0, 0, *widths], encoder_depth=len(widths) + 1, decoder_channels=WIDTH)
        self.head = nn.Conv2d(WIDTH, classes, 1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Normalised pictures to scores (B, classes, H, W)."""
        joined = self.decoder([x_BCHW, x_BCHW, *self.levels(x_BCHW)])
        return functional.interpolate(self.head(joined), x_BCHW.shape[2:], mode="bilinear")


HEADS = {"fpn": Segmenter, "upernet": UPerNet}


def tensors(examples: Sequence[Example]) -> tuple[Tensor, Tensor]:
    """Pictures uint8 BCHW, and the class of each pixel, int64 BHW."""
    pictures = torch.from_numpy(np.stack([each.picture for each in examples])).permute(0, 3, 1, 2)
    return pictures, torch.from_numpy(np.stack([each.pixel_classes for each in examples])).long()


def segmentation(model: nn.Module, examples: Sequence[Example]) -> Update:
    """The loss of a new batch, half of it mirrored."""
    pictures, classes = tensors(examples)
    # Without weights, the background, four fifths of the pixels, is all that so short a training learns.
    weights = (classes.flatten().bincount() / classes.numel()).clamp(min=1e-6).rsqrt()

    def loss() -> Tensor:
        chosen, mirrored = torch.randint(len(examples), (BATCH,)), torch.rand(BATCH, 1, 1) < 0.5
        x, y = normalised(pictures[chosen]), classes[chosen]
        x, y = torch.where(mirrored[:, None], x.flip(3), x), torch.where(mirrored, y.flip(2), y)
        return functional.cross_entropy(model(x), y, weights)

    return loss


@torch.no_grad()
def counts(model: nn.Module, examples: Sequence[Example], classes: int) -> dict[str, np.ndarray]:
    """Pixels of each picture and class that are right, wrong (another class's, or the background's) and missed."""
    model.eval()
    pictures, truth = tensors(examples)
    found = torch.cat([model(normalised(x)).argmax(1) for x in pictures.split(BATCH)])
    right, wrong, missed, _ = get_stats(found, truth, mode="multiclass", num_classes=classes)
    return {"right": right.numpy(), "wrong": wrong.numpy(), "missed": missed.numpy()}


def main() -> None:
    """Trains what is not there yet, and prints the table."""
    options = arguments(__doc__, seconds=20.0, head=[*HEADS])
    (training, names), (held, _) = (read(options.folder, split) for split in ("train", "val"))
    classes, trained = len(names) + 1, []  # the background is one of them

    def train(model: nn.Module, steps: int, file: Path) -> None:
        fit(model, segmentation(model, training), steps)
        np.savez_compressed(file, allow_pickle=False, steps=steps, **counts(model, held, classes))

    for name, start, file in runs(
        options,
        options.head,
        build=lambda network: HEADS[options.head](network, classes),
        loss=lambda model: segmentation(model, training),
        train=train,
    ):
        with np.load(file) as stored:
            measure = MeanIoU(stored["right"], stored["wrong"], stored["missed"])
            trained.append(Trained(name, start, int(stored["steps"]), measure))
    print(table(trained, title="mIoU", baseline=trained[0].name))


if __name__ == "__main__":
    main()
