"""The studies of ConvMixer (Trockman and Kolter 2022, arXiv:2201.09792): patches, kernels, width and depth."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from glocal.comparing.study import Arm, Scale, Study
from glocal.comparing.tables.sizes import sized
from glocal.design import (
    Act,
    Architecture,
    Conv,
    Flatten,
    Grid,
    LearnedPosition,
    Linear,
    Mean,
    Norm,
    Patches,
    Pool,
    Sentence,
    SequencePool,
    Stage,
)
from glocal.families import architecture, resnet
from glocal.families.compact import CompactLayer
from glocal.families.convmixer import BN, ConvMixerLayer

_SOURCE = "ConvMixer (Trockman and Kolter 2022)"
_CIFAR = "The paper trains 200 epochs or more on CIFAR-10 with heavy augmentation; here training is short."
_IMAGENET = "The paper trains 150 epochs on ImageNet-1K; here training is short."


def _small(model: str | Architecture, width: int, depth: int) -> Mapping[Scale, Architecture]:
    """A network for small pictures: half as wide at scale cifar, and a quarter as wide and half as deep at scale tiny."""
    return {
        "cifar": sized(model, "cifar", width=width // 2, depths=(depth,)),
        "tiny": sized(model, "tiny", width=width // 4, depths=(depth // 2,)),
    }


def _mixer(name: str, width: int, depth: int, *, patch: int = 2, kernel: int = 5, **more: Any) -> Arm:
    """An arm whose network is ConvMixer-width/depth for pictures of 32 pixels."""
    model = f"convmixer_{width}_{depth}_p{patch}_k{kernel}_32"
    return Arm(name, model, at=_small(model, width, depth), **more)


def _altered(name: str, **changes: Any) -> Arm:
    """An arm whose network is ConvMixer-256/8 with other layers."""
    arch = architecture("convmixer_256_8_p2_k5_32")
    layers = (ConvMixerLayer(5, **changes),) * 8
    stem = (
        arch.stem[0],
        Act(changes.get("act", "gelu")),
        Norm("layer", 1e-6) if changes.get("norm") == "layer" else BN,
    )
    model = replace(arch, name=f"convmixer_256_8 {name}", stem=stem, stages=(replace(arch.stages[0], blocks=layers),))
    return Arm(name, model, at=_small(model, 256, 8))


def _convolutional_stem(width: int, inner: int) -> Sentence:
    """Two convolutions of 3 x 3 with pooling (CCT's tokenizer), which leave as many positions as patches of 4 do."""
    pool = Act("relu"), Pool("max", 3, 2, 1)
    return (Conv(inner, 3, bias=False), *pool, Conv(width, 3, bias=False), *pool)


def _convolution(stem: Sentence, width: int, depth: int) -> Architecture:
    """ConvMixer's layers on 8 x 8 positions."""
    stage = Stage(width, (ConvMixerLayer(5),) * depth)
    return Architecture("convolution", (*stem, Act("gelu"), BN), (stage,), (Mean(), Linear(10)), Grid(3, 32, 32))


def _attention(stem: Sentence, width: int, depth: int) -> Architecture:
    """CVT's layers on 8 x 8 positions."""
    stage = Stage(width, (CompactLayer(4, 2.0, attention_dropout=0.0),) * depth)
    head = Norm("layer"), SequencePool(), Linear(10)
    stem = (*stem, Flatten(), LearnedPosition(std=0.2, resize="bilinear"))
    return Architecture("attention", stem, (stage,), head, Grid(3, 32, 32), init="compact")


# Arguments of timm's class, whose named networks cannot be made smaller.
_MIXERS: dict[Scale, str] = {
    "cifar": "img_size=32,patch_size=4,num_blocks=6,embed_dim=192",
    "tiny": "img_size=32,patch_size=4,num_blocks=5,embed_dim=96",
}
_RESMLP = "mlp_ratio=4,block_layer=ResBlock,norm_layer=Affine"
_RESNET_152 = replace(
    architecture("resnet101"), name="resnet152", stages=resnet.stages(resnet.BOTTLENECK, (3, 8, 36, 3), 256)
)

STUDIES = (
    Study(
        name="convmixer.table1",
        question="Is a ConvMixer as good as ResNet, DeiT, MLP-Mixer and ResMLP of equal weights?",
        hypothesis="It is better than ResNet, MLP-Mixer and ResMLP, and close to DeiT, at more multiply-adds.",
        source=f"{_SOURCE}, Table 1",
        arms=(
            Arm("ConvMixer-1536/20", "convmixer_1536_20", printed=81.37),
            Arm("ConvMixer-768/32", "convmixer_768_32", printed=80.16),
            Arm("ResNet-152", _RESNET_152),
            Arm(
                "DeiT-B",
                "deit_base",
                at={
                    "cifar": sized("deit_base", "cifar", width=192, depths=(4,)),
                    "tiny": sized("deit_base", "tiny", width=96, depths=(3,)),
                },
                printed=81.8,
            ),
            Arm(
                "ResMLP-B24/8",
                "timm:resmlp_big_24_224",
                at={scale: f"timm:MlpMixer[{size},{_RESMLP}]" for scale, size in _MIXERS.items()},
            ),
            Arm(
                "MLP-Mixer-B/16",
                "timm:mixer_b16_224",
                at={scale: f"timm:MlpMixer[{size}]" for scale, size in _MIXERS.items()},
            ),
        ),
        baseline="ConvMixer-1536/20",
        keeps="Weights are about equal, except ConvMixer-768/32, which has two fifths; multiply-adds are not, as in the paper.",
        changes=(
            f"{_IMAGENET} The paper quotes networks trained with recipes of their own; here all share one. The two MLPs are "
            "timm's."
        ),
    ),
    Study(
        name="convmixer.patch",
        question="How much do small patches help?",
        hypothesis="Accuracy falls as patches grow, and so does the cost.",
        source=f"{_SOURCE}, Section 3 and the ablations on CIFAR-10",
        arms=(
            _mixer("patches of 1", 256, 8, patch=1, kernel=9, printed=96.03),
            _mixer("patches of 2", 256, 8, patch=2, kernel=9),
            _mixer("patches of 4", 256, 8, patch=4, kernel=9),
            Arm("1536/20, patches of 7", "convmixer_1536_20", printed=81.37, baseline="1536/20, patches of 7"),
            Arm("1536/20, patches of 14", "convmixer_1536_20_p14_k9", printed=78.92, baseline="1536/20, patches of 7"),
        ),
        baseline="patches of 1",
        keeps="Width, depth and kernel; a patch twice as wide leaves a quarter of the positions.",
        changes=f"{_CIFAR} At smaller scales patches of 7 and 14 become patches of 4 and 8.",
    ),
    Study(
        name="convmixer.kernel",
        question="How large should ConvMixer's kernels be?",
        hypothesis="Accuracy grows with the kernel, from 3 to 9.",
        source=f"{_SOURCE}, the ablations on CIFAR-10",
        arms=tuple(_mixer(f"kernel {kernel}", 256, 8, kernel=kernel) for kernel in (3, 5, 7, 9)),
        baseline="kernel 9",
        keeps="Width 256, depth 8 and patches of 2; the depthwise convolution is a small part of the cost.",
        changes=_CIFAR,
    ),
    Study(
        name="convmixer.width_depth",
        question="Should a ConvMixer be wide or deep?",
        hypothesis="Both raise the accuracy; width costs more weights for the same gain.",
        source=f"{_SOURCE}, the ablations on CIFAR-10",
        arms=tuple(_mixer(f"{width}/{depth}", width, depth) for width in (128, 256, 512) for depth in (4, 8, 16)),
        baseline="256/8",
        keeps="Patches of 2 and kernels of 5; widths and depths in steps of two, at every scale.",
        changes=f"{_CIFAR} The paper's grid also varies patch, kernel and weight decay.",
    ),
    Study(
        name="convmixer.ablations",
        question="Which parts of ConvMixer and of its training matter?",
        hypothesis=(
            "Without the residual connection, or with layer norm, it is worse; a second residual connection does not help; "
            "RandAugment and random scaling matter more than mixup and CutMix."
        ),
        source=f"{_SOURCE}, the ablations on CIFAR-10",
        arms=(
            _altered("ConvMixer-256/8"),
            _altered("no residual connection", residual="none"),
            _altered("residual connections around both", residual="both"),
            _altered("layer norm", norm="layer"),
            _altered("ReLU", act="relu"),
            *(
                replace(_altered("ConvMixer-256/8"), name=name, settings=settings)
                for name, settings in (
                    ("no RandAugment", {"auto_augment": ""}),
                    ("no random scaling", {"crop": "pad"}),
                    ("no mixup", {"mixup": 0.0}),
                    ("no CutMix", {"cutmix": 0.0}),
                    ("no random erasing", {"reprob": 0.0}),
                    ("no gradient clipping", {"clip_grad": None}),
                )
            ),
        ),
        baseline="ConvMixer-256/8",
        settings={
            "crop": "random_resized",
            "scale": (0.75, 1.0),
            "auto_augment": "rand-m9-mstd0.5-inc1",
            "mixup": 0.5,
            "cutmix": 0.5,
            "reprob": 0.25,
            "smoothing": 0.0,
        },
        keeps="One thing changes at a time, in the network or in its training.",
        changes=f"{_CIFAR} So much augmentation slows a short training down. Without scaling, padded pictures are cropped.",
    ),
    Study(
        name="convmixer.patches",
        question="Is it the patches, or what comes after them?",
        hypothesis="With patches, convolution does as well as attention; a convolutional stem helps attention more.",
        source=f"{_SOURCE}, the question of its title (the paper prints no such comparison)",
        arms=(
            Arm(
                "convolution, patches",
                _convolution((Conv(512, 4, 4, padding=0),), 512, 14),
                at={
                    "cifar": _convolution((Conv(256, 4, 4, padding=0),), 256, 9),
                    "tiny": _convolution((Conv(96, 4, 4, padding=0),), 96, 15),
                },
            ),
            Arm(
                "convolution, convolutional stem",
                _convolution(_convolutional_stem(512, 32), 512, 13),
                at={
                    "cifar": _convolution(_convolutional_stem(256, 16), 256, 7),
                    "tiny": _convolution(_convolutional_stem(96, 8), 96, 13),
                },
            ),
            Arm(
                "attention, patches",
                _attention((Patches(256, 4),), 256, 7),
                at={"cifar": _attention((Patches(128, 4),), 128, 4), "tiny": _attention((Patches(64, 4),), 64, 4)},
            ),
            Arm(
                "attention, convolutional stem",
                _attention(_convolutional_stem(256, 32), 256, 7),
                baseline="attention, patches",
                at={
                    "cifar": _attention(_convolutional_stem(128, 16), 128, 4),
                    "tiny": _attention(_convolutional_stem(64, 8), 64, 4),
                },
            ),
        ),
        baseline="convolution, patches",
        keeps="64 positions in every network, one recipe, and equal multiply-adds at every scale.",
        changes="The study is ours. Both stems leave a grid of 8 x 8; ConvMixer's layers and CVT's layers follow.",
    ),
)
