"""torchvision's Mask R-CNN trains on our pyramids."""

import pytest
import torch
from torch import nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

import glocal


class Backbone(nn.Module):
    """A pyramid under an FPN, as on the page docs/backbones.md."""

    def __init__(self, pyramid, out_channels):
        super().__init__()
        self.pyramid, self.out_channels = pyramid, out_channels
        self.fpn = FeaturePyramidNetwork(pyramid.widths, out_channels, LastLevelMaxPool())

    def forward(self, x):
        return self.fpn(dict(zip("0123", self.pyramid(x), strict=True)))


def backbone(name):
    torch.manual_seed(0)
    return Backbone(glocal.create_model(name).features((-4, -3, -2, -1), norm=True), 64)


def detector(name):
    anchors = AnchorGenerator(tuple((8 * 2**i,) for i in range(5)), ((0.5, 1.0, 2.0),) * 5)
    return MaskRCNN(backbone(name), num_classes=3, min_size=128, max_size=160, rpn_anchor_generator=anchors)


def scenes():
    """Two pictures of 128 x 160: bright rectangles, red ones of class 1 and green ones of class 2, on dark noise."""
    noise = torch.Generator().manual_seed(1)
    pictures, targets = [], []
    for boxes, labels in [([(16, 24, 72, 96), (90, 10, 150, 60)], [1, 2]), ([(30, 30, 100, 110)], [2])]:
        picture = 0.2 * torch.rand(3, 128, 160, generator=noise)
        masks = torch.zeros(len(boxes), 128, 160, dtype=torch.uint8)
        for mask, (left, top, right, bottom), label in zip(masks, boxes, labels, strict=True):
            mask[top:bottom, left:right] = 1
            picture[label - 1, top:bottom, left:right] += 0.7
        pictures.append(picture)
        targets.append({"boxes": torch.tensor(boxes).float(), "labels": torch.tensor(labels), "masks": masks})
    return pictures, targets


@pytest.mark.parametrize("name", ["convnext_zepto_rms", "coatnet_layout_cctt"])
def test_an_fpn_reads_every_level_and_hands_its_gradients_to_every_weight(name):
    model = backbone(name).train()
    maps = model(torch.stack(scenes()[0]))
    assert [tuple(m.shape[1:]) for m in maps.values()] == [(64, 128 // s, -(-160 // s)) for s in (4, 8, 16, 32, 64)]
    sum(m.square().mean() for m in maps.values()).backward()
    assert not [key for key, p in model.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["convnext_tiny", "coatnet_0"])
def test_mask_rcnn_trains(name):
    model, (pictures, targets), losses = detector(name), scenes(), []
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4)
    for _ in range(5):
        torch.manual_seed(0)  # the same sample of anchors in each step, so that the losses can be compared
        loss = sum(model(pictures, targets).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        stem = next(model.backbone.pyramid.stem.parameters())
        assert torch.isfinite(stem.grad).all()
        assert stem.grad.abs().sum() > 0
    print(name, [round(loss, 3) for loss in losses])
    assert losses[-1] < 0.6 * losses[0]
    with torch.no_grad():
        answers = model.eval()(pictures)
    assert [answer["masks"].shape[2:] for answer in answers] == [(128, 160)] * 2
