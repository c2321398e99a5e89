"""Files that pages name and do not make: weights of the authors, timm and torchvision, and files shown on another page.

The weights are downloads for a reader. A stand-in here holds fresh weights under the same keys and of the same shapes, so
loading it goes the same way.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

from docs.blocks import blocks
from glocal.weights import SOURCES, create_model, export

DOCS = Path(__file__).parents[2] / "docs"
CCT, CONVNEXT, RESNET = "SHI-Labs/Compact-Transformers", "facebookresearch/ConvNeXt", "torchvision and timm (ResNet)"
FILES = {
    "README.md": {"authors.pth": ("cct_7_3x1_32", CCT)},
    "compact_transformers.md": {
        "cct_7_3x1_cifar10_300epochs.pth": ("cct_7_3x1_32", CCT),
        "cct_14_7x2_imagenet.pth": ("cct_14_7x2_224", CCT),
    },
    "convmixer.md": {
        "convmixer_768_32_ks7_p7_relu.pth.tar": ("convmixer_768_32", "locuslab/convmixer"),
        "model.safetensors": ("convmixer_1024_20", "timm (ConvMixer)"),
    },
    "convnext.md": {
        "convnext_tiny_1k_224_ema.pth": ("convnext_tiny", CONVNEXT),
        "convnext_tiny_22k_224.pth": ("convnext_tiny_22k", CONVNEXT),
        "convnext_base_22k_1k_384.pth": ("convnext_base", CONVNEXT),
        "convnext_tiny-983f1562.pth": ("convnext_tiny", "torchvision (ConvNeXt)"),
        "model.safetensors": ("convnext_atto", "timm (ConvNeXt, conv_mlp)"),
        "resnet50-11ad3fa6.pth": ("resnet50", RESNET),
    },
    "coatnet.md": {"model.safetensors": ("coatnet_0_rw_224", "timm (CoAtNet, rw)")},
    "glit.md": {"glit_tiny.pth.tar": ("glit_tiny", "bychen515/GLiT")},
}
"""For each page, the files, with the network and the source of the names."""


SHOWN_ELSEWHERE = {"README.md": {"mine.yaml": "studies.md"}}
"""For each page, files that another page shows, with that page."""


def write(page: str, folder: Path) -> None:
    """Writes the files of a page."""
    for file, shown in SHOWN_ELSEWHERE.get(page, {}).items():
        text = next(block.text for block in blocks(DOCS / shown) if block.title == file)
        (folder / file).write_text(text, encoding="utf-8")
    for file, (model, source) in FILES.get(page, {}).items():
        names = next(s for s in SOURCES if s.name == source)
        tensors = {key: value.clone().contiguous() for key, value in export(create_model(model), names).items()}
        if file.endswith(".safetensors"):
            save_file(tensors, folder / file)
        else:
            torch.save(tensors, folder / file)
