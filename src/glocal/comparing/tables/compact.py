"""The tables of Compact Transformers (Hassani et al. 2021, arXiv:2104.05704): transformers on little data and small pictures.

The printed numbers are CIFAR-10's, of the paper's third version.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from glocal.comparing.study import Arm, Pretraining, Scale, Study
from glocal.comparing.tables.compact_figures import AUGMENTED, SHORT, SOURCE, small_layers
from glocal.comparing.tables.sizes import sized
from glocal.design import Architecture, Conv, Grid, Linear, Mean
from glocal.design.space import edit_words
from glocal.families import architecture, resnet
from glocal.families.resnet import BN, BOTTLENECK, RELU, ResidualBlock

_PLAIN = {"attention_dropout": 0.0, "drop_path": 0.0}
_TUNED = {**AUGMENTED, "attention_dropout": 0.1, "drop_path": 0.1}
_BASIC = ResidualBlock("3x3 bn relu 3x3 bn", after="relu")


def _untuned(name: str) -> Architecture:
    """The network with dropout in its feed-forward layers, as before tuning (Appendix, Table 8)."""
    return edit_words(architecture(name), lambda block: replace(block, dropout=0.1))


def _imagenet_resnet(
    name: str, block: ResidualBlock, depths: tuple[int, ...], *, width: int, size: int = 32
) -> Architecture:
    """A ResNet with the stem and strides that were made for ImageNet."""
    stages = resnet.stages(block, depths, width)
    return Architecture(name, resnet.stem(64), stages, (Mean(), Linear(1000)), Grid(3, size, size), init="resnet")


def _cifar_resnet(layers: int, *, width: int = 16) -> Architecture:
    """A ResNet for small pictures (He et al. 2016, Section 4.2), with projections where the width changes."""
    stem = Conv(width, 3, bias=False), BN, RELU
    stages = resnet.stages(_BASIC, ((layers - 2) // 6,) * 3, width)
    return Architecture(f"resnet{layers}", stem, stages, (Mean(), Linear(10)), Grid(3, 32, 32), init="resnet")


_SMALL_RESNETS: dict[int, Mapping[Scale, Architecture]] = {
    56: {"cifar": _cifar_resnet(20), "tiny": _cifar_resnet(20, width=8)},
    110: {"cifar": _cifar_resnet(38), "tiny": _cifar_resnet(38, width=8)},
}
_RESNET_152 = _imagenet_resnet("resnet152", BOTTLENECK, (3, 8, 36, 3), width=256, size=224)
_PATCHED = (("ViT-Lite", "vit_lite"), ("CVT", "cvt"))


def _mobilenet(width: str) -> str:
    """timm's MobileNetV2 of a width, in hundredths, for pictures of CIFAR."""
    return f"timm:mobilenetv2_{width}[img_size=32]"


def _stepped(name: str, model: str, printed: float, baseline: str, settings: Mapping[str, Any] = _PLAIN) -> Arm:
    """A row of Table 9, compared with the row that it changes."""
    network = model if settings == _TUNED else _untuned(model)
    return Arm(name, network, settings={**_PLAIN, **settings}, printed=printed, baseline=baseline)


STUDIES = (
    Study(
        name="compact.table1",
        question="On little data, are compact transformers better than ViT and than ResNets and MobileNets?",
        hypothesis="CCT beats every ViT, and convolutional networks of similar size when trained as carefully.",
        source=f"{SOURCE}, Table 1",
        arms=(
            Arm("ResNet-18", _imagenet_resnet("resnet18", _BASIC, (2, 2, 2, 2), width=64), printed=90.27),
            Arm("ResNet-34", _imagenet_resnet("resnet34", _BASIC, (3, 4, 6, 3), width=64), printed=90.51),
            Arm("ResNet-50", _imagenet_resnet("resnet50", BOTTLENECK, (3, 4, 6, 3), width=256), printed=90.60),
            Arm("MobileNetV2/0.5", _mobilenet("050"), at={"tiny": _mobilenet("035")}, printed=84.78),
            Arm(
                "MobileNetV2/1.0",
                _mobilenet("100"),
                at={"cifar": _mobilenet("075"), "tiny": _mobilenet("050")},
                printed=89.07,
            ),
            Arm("ResNet-56", _cifar_resnet(56), at=_SMALL_RESNETS[56], printed=94.63),
            Arm("ResNet-110", _cifar_resnet(110), at=_SMALL_RESNETS[110], printed=95.08),
            Arm("ViT-12/16", "vit_12_16_32", printed=76.42),
            *(
                Arm(
                    f"{family}-7/{patch}",
                    f"{model}_7_{patch}_32",
                    printed=top1,
                    at=small_layers(f"{model}_7_{patch}_32", layers=7),
                )
                for (family, model), patch, top1 in (
                    (_PATCHED[0], 16, 76.52),
                    (_PATCHED[0], 8, 87.49),
                    (_PATCHED[0], 4, 91.38),
                    (_PATCHED[1], 8, 89.66),
                    (_PATCHED[1], 4, 92.43),
                )
            ),
            *(
                Arm(
                    f"CCT-{layers}/{kind}",
                    f"cct_{layers}_{kind}_32",
                    printed=top1,
                    at=small_layers(f"cct_{layers}_{kind}_32", layers=layers),
                )
                for layers, kind, top1 in (
                    (2, "3x2", 89.17),
                    (4, "3x2", 91.45),
                    (6, "3x2", 93.56),
                    (7, "3x2", 93.65),
                    (6, "3x1", 94.81),
                    (7, "3x1", 94.47),
                )
            ),
        ),
        baseline="ResNet-56",
        settings=AUGMENTED,
        keeps="Networks, picture size, AutoAugment and label smoothing.",
        changes=(
            f"{SHORT} All networks share AdamW, where the paper has SGD for convolutional ones. ResNet-18 to -50 and "
            "MobileNetV2 keep their ImageNet strides on small pictures, as in the paper. ResNet-56 and -110 project where the "
            "width changes. MobileNetV2 is timm's."
        ),
    ),
    Study(
        name="compact.table2",
        question="How much does a compact transformer gain from longer training?",
        hypothesis="Accuracy still rises at 17 times the usual length, by less and less.",
        source=f"{SOURCE}, Table 2",
        arms=(
            Arm("300 epochs", "cct_7_3x1_32", printed=96.53),
            Arm("1500 epochs", "cct_7_3x1_32_sine", length=5, printed=97.48),
            Arm("5000 epochs", "cct_7_3x1_32_sine", length=50 / 3, printed=98.00),
        ),
        baseline="300 epochs",
        comparisons="chain",
        settings={"epochs": 6, "auto_augment": "rand-m9-mstd0.5-inc1", "mixup": 0.8, "cutmix": 1.0},
        keeps="The ratios of the lengths, RandAugment, mixup and CutMix, and the change from learned to sinusoidal positions.",
        changes="The shortest training takes 6 epochs, the longest 100, where the paper's take 300 and 5000.",
    ),
    Study(
        name="compact.table3",
        question="Is a compact transformer better than DeiT and a ResNet of far more multiply-adds, from scratch?",
        hypothesis="CCT-14/7x2 is better than ResNet-152 and a vision transformer of equal size.",
        source=f"{SOURCE}, Table 3",
        arms=(
            Arm("DeiT-S", "deit_small"),
            Arm(
                "ResNet-152",
                _RESNET_152,
                at={
                    "cifar": sized(_RESNET_152, "cifar", depths=(3, 8, 36, 3), width=128),
                    "tiny": sized(_RESNET_152, "tiny", depths=(3, 8, 36, 3), width=64),
                },
                printed=78.57,
            ),
            Arm(
                "CCT-14/7x2",
                "cct_14_7x2_224",
                at={"cifar": sized("cct_14_3x2_32", "cifar"), "tiny": sized("cct_14_3x2_32", "tiny", depths=(4,))},
                printed=80.67,
            ),
        ),
        baseline="DeiT-S",
        keeps="Sizes of the networks, and one recipe for all.",
        changes=(
            "The paper trains CCT 310 epochs on ImageNet-1K at 224 pixels and quotes the others; here training is short. At "
            "smaller scales CCT has the tokenizer 3x2, which leaves as many tokens as DeiT's patches."
        ),
    ),
    Study(
        name="compact.table5",
        question="Do transformers with convolutions need positional embeddings?",
        hypothesis="Without positions, networks of patches lose several points, those with a convolutional tokenizer hardly any.",
        source=f"{SOURCE}, Table 5",
        arms=tuple(
            Arm(
                f"{name}, {positions}",
                model if tuned else _untuned(model),
                settings=_TUNED if tuned else _PLAIN,
                printed=top1,
                baseline=f"{name}, learned",
            )
            for name, stem, suffix, tuned, column in (
                ("ViT-12/16", "vit_12_16_32", "", False, (69.82, 69.03, 66.71)),
                ("ViT-Lite-7/8", "vit_lite_7_8_32", "", False, (83.38, 80.86, 76.13)),
                ("CVT-7/8", "cvt_7_8_32", "", False, (84.24, 80.84, 77.72)),
                ("CCT-7/7x1", "cct_7_7x1_32", "", False, (82.03, 81.15, 81.82)),
                ("CCT-7/3x2", "cct_7_3x2_32", "", False, (90.69, 89.93, 89.02)),
                ("CCT-7/3x2 tuned", "cct_7_3x2_32", "", True, (93.65, 93.67, 92.79)),
                ("CCT-7/7x1 class token", "cct_7_7x1_32", "_class", False, (82.41, 81.94, 82.29)),
                ("CCT-7/3x2 class token", "cct_7_3x2_32", "_class", False, (90.41, 89.84, 88.92)),
            )
            for positions, part, top1 in zip(("learned", "sine", "none"), ("", "_sine", "_none"), column, strict=True)
            for model in (f"{stem}{part}{suffix}",)
        ),
        baseline="CCT-7/3x2, learned",
        keeps="Networks, and which of them have AutoAugment and tuned dropout.",
        changes=f"{SHORT} The printed 82.03 of CCT-7/7x1 contradicts the 87.81 that Table 9 prints for the same setting.",
    ),
    Study(
        name="compact.table9",
        question="What does each step from ViT to CCT bring?",
        hypothesis="Smaller patches bring most, then sequence pooling, augmentation and the convolutional tokenizer.",
        source=f"{SOURCE}, Table 9",
        arms=(
            _stepped("ViT-12/16", "vit_12_16_32", 69.82, "ViT-12/16"),
            _stepped("ViT-Lite-7/16", "vit_lite_7_16_32", 71.78, "ViT-12/16"),
            _stepped("ViT-Lite-7/8", "vit_lite_7_8_32", 83.38, "ViT-Lite-7/16"),
            _stepped("ViT-Lite-7/4", "vit_lite_7_4_32", 83.59, "ViT-Lite-7/8"),
            _stepped("CVT-7/16", "cvt_7_16_32", 72.26, "ViT-Lite-7/16"),
            _stepped("CVT-7/8", "cvt_7_8_32", 84.24, "ViT-Lite-7/8"),
            _stepped("CVT-7/8, augmented", "cvt_7_8_32", 87.15, "CVT-7/8", AUGMENTED),
            _stepped("CVT-7/4", "cvt_7_4_32", 88.06, "ViT-Lite-7/4"),
            _stepped("CVT-7/4, augmented", "cvt_7_4_32", 91.72, "CVT-7/4", AUGMENTED),
            _stepped("CVT-7/4, augmented and tuned", "cvt_7_4_32", 92.43, "CVT-7/4, augmented", _TUNED),
            _stepped("CVT-7/2", "cvt_7_2_32", 84.80, "CVT-7/4"),
            _stepped("CCT-7/7x1", "cct_7_7x1_32", 87.81, "CVT-7/4"),
            _stepped("CCT-7/7x1, augmented", "cct_7_7x1_32", 91.85, "CCT-7/7x1", AUGMENTED),
            _stepped("CCT-7/7x1, augmented and tuned", "cct_7_7x1_32", 92.29, "CCT-7/7x1, augmented", _TUNED),
            _stepped("CCT-7/3x2, augmented and tuned", "cct_7_3x2_32", 93.65, "CCT-7/7x1, augmented and tuned", _TUNED),
            _stepped("CCT-7/3x1, augmented and tuned", "cct_7_3x1_32", 94.47, "CCT-7/3x2, augmented and tuned", _TUNED),
        ),
        baseline="ViT-12/16",
        keeps="The sixteen rows: size, patches, pooling, tokenizer, AutoAugment, and dropout before and after tuning.",
        changes=f"{SHORT} Each row is compared with the row that it changes. Steps change the number of tokens too.",
    ),
    Study(
        name="compact.pooling",
        question="Should tokens be pooled by a learned weight, by their mean, or by a class token?",
        hypothesis="Sequence pooling is best, by far on patches and by little on a convolutional tokenizer.",
        source=f"{SOURCE}, Tables 5 and 9",
        arms=tuple(
            Arm(f"{name}, {pooling}", _untuned(model), settings=_PLAIN, printed=top1, baseline=f"{name}, class token")
            for name, rows in (
                ("patches of 4", (("vit_lite_7_4_32", 83.59), ("cvt_7_4_32", 88.06), ("cvt_7_4_32_mean", None))),
                (
                    "tokenizer 3x2",
                    (("cct_7_3x2_32_class", 90.41), ("cct_7_3x2_32", 90.69), ("cct_7_3x2_32_mean", None)),
                ),
            )
            for pooling, (model, top1) in zip(("class token", "sequence pooling", "mean"), rows, strict=True)
        ),
        baseline="patches of 4, class token",
        keeps="The networks differ in nothing but their pooling.",
        changes=f"{SHORT} The mean is not in the paper: it is sequence pooling whose scores are all equal.",
    ),
    Study(
        name="compact.tokenizer",
        question="How many convolutions should make the tokens, and how large?",
        hypothesis="Two small kernels beat one large one; a single small one, which leaves four times as many tokens, is best.",
        source=f"{SOURCE}, Table 9",
        arms=(
            Arm("one layer, kernel 7", "cct_7_7x1_32", printed=92.29),
            Arm("one layer, kernel 3", "cct_7_3x1_32", printed=94.47),
            Arm("two layers, kernel 3", "cct_7_3x2_32", printed=93.65),
            Arm("two layers, kernel 7", "cct_7_7x2_32"),
        ),
        baseline="one layer, kernel 7",
        settings=_TUNED,
        keeps="The encoder, AutoAugment and tuned dropout; pictures of 32 pixels become 64, 256, 64 and 4 tokens.",
        changes=f"{SHORT} The paper has no row for two layers of kernel 7 at 32 pixels.",
    ),
    Study(
        name="compact.flowers",
        question="On a small data set, what does pre-training bring over training from scratch?",
        hypothesis="A pre-trained CCT-14 beats both CCTs from scratch; the small one is good from scratch already.",
        source=f"{SOURCE}, Flowers-102 (authors' README)",
        arms=(
            Arm("CCT-7/7x2 from scratch", "cct_7_7x2_224_sine", printed=97.19),
            Arm("CCT-14/7x2 from scratch", "cct_14_7x2_224"),
            Arm("CCT-14/7x2 pre-trained", "cct_14_7x2_224", printed=99.76, pretraining=Pretraining()),
        ),
        baseline="CCT-7/7x2 from scratch",
        settings={"crop": "random_resized", "scale": (0.8, 1.0), "auto_augment": "rand-m9-mstd0.5-inc1"},
        keeps="Networks, and the stages: pre-training on one data set, then fine-tuning on flowers or any other.",
        changes=(
            "The paper pre-trains on ImageNet-1K at 224 pixels and fine-tunes at 384; here both stages are short and of one "
            "size. CCT-14 from scratch is ours. The printed numbers are probably of a split with 6,552 training pictures, "
            "and not of Oxford's."
        ),
    ),
)
