"""Trains a detector of torchvision on each backbone for the same processor time, and prints a table of the boxes' precision.

    python examples/scenes.py CIFAR PHOTOS FOLDER     # or your own FOLDER/{train,val}/{annotations.json,images,masks}
    python examples/backbones.py CIFAR FOLDER         # weights to start from
    python examples/detect.py FOLDER [--detector faster_rcnn | mask_rcnn | retinanet]

What is found is kept as FOLDER/DETECTOR/NAME-START.npz; a training whose file is there is not repeated, so that a stopped command
goes on with the next one.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from backbones import MEAN, STD, Backbone, Update, fit
from campaign import arguments, runs
from measures import AveragePrecision, Boxes, Trained, table
from scenes import SIDE, Example, read
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN, MaskRCNN, RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor

BATCH = 8
ANCHORS = (16, 24), (32, 40), (56, 72)  # sides in pixels at strides 8, 16 and 32


PICTURES: dict[str, Any] = {"min_size": SIDE, "max_size": SIDE, "image_mean": MEAN, "image_std": STD}


def anchors() -> AnchorGenerator:
    """Of the three strides."""
    return AnchorGenerator(ANCHORS, ((0.5, 1.0, 2.0),) * len(ANCHORS))


def two_stages(backbone: Backbone, classes: int) -> dict[str, Any]:
    """Heads and samples of Faster and Mask R-CNN, as small as the pictures. One of the classes is the background."""
    return {
        "rpn_anchor_generator": anchors(),
        "rpn_pre_nms_top_n_train": 200,
        "rpn_pre_nms_top_n_test": 200,
        "rpn_post_nms_top_n_train": 100,
        "rpn_post_nms_top_n_test": 50,
        "rpn_batch_size_per_image": 64,
        "box_head": TwoMLPHead(backbone.out_channels * 7 * 7, 128),
        "box_predictor": FastRCNNPredictor(128, classes),
        "box_batch_size_per_image": 32,
        "box_detections_per_img": 20,
    }


def faster_rcnn(backbone: Backbone, classes: int) -> nn.Module:
    """Faster R-CNN."""
    return FasterRCNN(backbone, **PICTURES, **two_stages(backbone, classes))


def mask_rcnn(backbone: Backbone, classes: int) -> nn.Module:
    """Mask R-CNN, which learns the masks too."""
    width = backbone.out_channels
    masks = {"mask_head": MaskRCNNHeads(width, (width,), 1), "mask_predictor": MaskRCNNPredictor(width, width, classes)}
    return MaskRCNN(backbone, **PICTURES, **two_stages(backbone, classes), **masks)


def retinanet(backbone: Backbone, classes: int) -> nn.Module:
    """RetinaNet, which has one stage and the focal loss."""
    return RetinaNet(
        backbone, classes, **PICTURES, anchor_generator=anchors(), topk_candidates=200, detections_per_img=20
    )


DETECTORS = {"faster_rcnn": faster_rcnn, "mask_rcnn": mask_rcnn, "retinanet": retinanet}


def prepared(example: Example, *, mirrored: bool) -> tuple[Tensor, dict[str, Tensor]]:
    """A picture from 0 to 1 and its target, as torchvision's detectors read them."""
    picture, boxes = torch.from_numpy(example.picture).permute(2, 0, 1) / 255, torch.from_numpy(example.boxes)
    masks = torch.from_numpy(example.masks.astype(np.uint8))
    if mirrored:
        left, top, right, bottom = boxes.unbind(1)
        width = picture.shape[2]
        picture, masks = picture.flip(2), masks.flip(2)
        boxes = torch.stack((width - right, top, width - left, bottom), 1)
    return picture, {"boxes": boxes, "labels": torch.from_numpy(example.labels), "masks": masks}


def detection(model: nn.Module, examples: Sequence[Example]) -> Update:
    """The sum of the detector's losses on a new batch."""

    def loss() -> Tensor:
        chosen = torch.randint(len(examples), (BATCH,)).tolist()
        batch = [prepared(examples[j], mirrored=bool(torch.rand(()) < 0.5)) for j in chosen]
        return sum(model([x for x, _ in batch], [y for _, y in batch]).values())

    return loss


@torch.no_grad()
def found_in(model: nn.Module, examples: Sequence[Example]) -> list[Boxes]:
    """What the detector finds in each picture, beside what is there."""
    model.eval()
    found = []
    for example in examples:
        (left,) = model([prepared(example, mirrored=False)[0]])
        arrays = (left[key].numpy() for key in ("boxes", "labels", "scores"))
        found.append(Boxes(example.boxes, example.labels, *arrays))
    return found


def save(file: Path, found: Sequence[Boxes], steps: int) -> None:
    """Boxes of all pictures in rows: picture, left, top, right, bottom, label, score."""
    rows = [
        np.column_stack((np.full(len(each.scores), i), each.found, each.found_labels, each.scores))
        for i, each in enumerate(found)
    ]
    np.savez_compressed(file, rows=np.concatenate(rows), steps=steps)


def load(file: Path, examples: Sequence[Example]) -> tuple[list[Boxes], int]:
    """The inverse of `save`, for the same pictures."""
    with np.load(file) as stored:
        rows, steps = stored["rows"], int(stored["steps"])
    of_picture = (rows[rows[:, 0] == i] for i in range(len(examples)))
    return [
        Boxes(each.boxes, each.labels, mine[:, 1:5], mine[:, 5].astype(int), mine[:, 6])
        for each, mine in zip(examples, of_picture, strict=True)
    ], steps


def main() -> None:
    """Trains what is not there yet, and prints the table."""
    options = arguments(__doc__, seconds=24.0, detector=[*DETECTORS])
    (training, classes), (held, _) = (read(options.folder, split) for split in ("train", "val"))

    def train(model: nn.Module, steps: int, file: Path) -> None:
        fit(model, detection(model, training), steps)
        save(file, found_in(model, held), steps)

    trained = []
    for name, start, file in runs(
        options,
        options.detector,
        build=lambda network: DETECTORS[options.detector](network, len(classes) + 1),
        loss=lambda model: detection(model, training),
        train=train,
    ):
        found, steps = load(file, held)
        trained.append(Trained(name, start, steps, AveragePrecision(found, range(1, len(classes) + 1))))
    print(table(trained, title="AP at 0.50 to 0.95", baseline=trained[0].name))


if __name__ == "__main__":
    main()
