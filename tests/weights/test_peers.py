"""On random weights our networks compute what timm's and torchvision's compute, and their keys are ours in both directions."""

import pytest
import timm
import torch
import torchvision
from torch import nn

import glocal
from drawn import randomised
from glocal.families.catalogue import timm_arguments
from glocal.weights import SOURCES, export, load_into
from sampled import but_slow

LARGE = {
    *(
        "convmixer_768_32",
        "convnext_small",
        "convnext_tiny_hnf",
        "convnext_tiny",
        "coatnet_0_224",
        "coatnet_1",
        "resnet101",
    ),
}
TIMM = (
    *("convnext_atto", "convnext_nano", "convnext_tiny", "convnext_tiny_hnf", "convnext_zepto_rms"),
    *("convnext_atto_ols", "convnext_nano_ols", "resnet50", "resnet101", "coatnet_0", "coatnet_0_224", "coatnet_1"),
    *("convmixer_768_32", "deit_tiny"),
)


def compared(theirs: nn.Module, name: str, size: tuple[int, int], source: str) -> None:
    ours = glocal.create_model(name, img_size=size)
    theirs = randomised(theirs).eval()
    load_into(ours, theirs.state_dict())
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-10)):
        ours, theirs = ours.to(dtype).eval(), theirs.to(dtype)
        with torch.no_grad():
            a, b = ours(x.to(dtype)), theirs(x.to(dtype))
        assert (a - b).abs().max() <= tolerance * b.abs().max(), (dtype, (a - b).abs().max() / b.abs().max())
    (table,) = [s for s in SOURCES if s.name == source]
    exported, state = export(ours, table), theirs.state_dict()
    assert exported.keys() == state.keys()
    assert all(torch.equal(exported[key], t) for key, t in state.items())


def source_of(name: str) -> str:
    """The table that timm's network of a name is written in."""
    if name.startswith("convnext"):
        small = name.removeprefix("convnext_").split("_")[0] in ("zepto", "atto", "femto", "pico", "nano")
        return "timm (ConvNeXt" + (", conv_mlp)" if small else ", head norm first)" if "hnf" in name else ")")
    family = name.split("_", maxsplit=1)[0]
    return {
        "coatnet": "timm (CoAtNet)",
        "convmixer": "timm (ConvMixer)",
        "deit": "timm (ViT)",
    }.get(family, "torchvision and timm (ResNet)")


@pytest.mark.parametrize("name", but_slow(TIMM, LARGE))
def test_timm(name):
    size = (64, 96) if name.startswith(("coatnet", "convnext", "resnet")) else (224, 224)
    arguments = dict(timm_arguments(name))
    if name.startswith("coatnet"):
        arguments["img_size"] = size
    compared(timm.create_model(**arguments), name, size, source_of(name))


@pytest.mark.parametrize("name", but_slow(["convnext_tiny", "convnext_small", "resnet50"], LARGE))
def test_torchvision(name):
    source = "torchvision (ConvNeXt)" if "convnext" in name else "torchvision and timm (ResNet)"
    compared(getattr(torchvision.models, name)(), name, (96, 64), source)
