"""The studies of ConvNeXt (Liu et al. 2022, arXiv:2201.03545): what each step from a ResNet to a ConvNeXt brings."""

from dataclasses import replace

from glocal.comparing.corruptions import CORRUPTIONS
from glocal.comparing.study import Arm, Evaluation, Scale, Study
from glocal.comparing.tables.sizes import sized
from glocal.design import Architecture
from glocal.families import architecture
from glocal.families.convnext import ConvNeXtBlock
from glocal.families.variants.roadmap import STEPS, TOP1
from glocal.families.vit import vit

_SOURCE = "ConvNeXt (Liu et al. 2022)"
_SCRATCH = (
    "The paper trains 300 epochs on ImageNet-1K at 224 pixels with heavy augmentation; here training is short and the "
    "augmentation light."
)
_BLOCKS = "At smaller scales the number of blocks is chosen so that multiply-adds are equal."


def _road(start: str) -> tuple[Arm, ...]:
    """The thirteen networks of a road, with the accuracy that its table prints."""
    names = [f"{start}_step_{step}" for step in range(len(STEPS))]
    return tuple(
        Arm(f"{step}: {title}", name, printed=TOP1[name][0])
        for step, (title, name) in enumerate(zip(STEPS, names, strict=True))
    )


def _with_layer_scale(value: float) -> Architecture:
    """ConvNeXt-T with another initial value of LayerScale; 0 leaves it out."""
    arch = architecture("convnext_tiny")
    stages = tuple(replace(s, blocks=(ConvNeXtBlock(scale=value),) * len(s.blocks)) for s in arch.stages)
    return replace(arch, name=f"convnext_tiny_scale_{value:g}", stages=stages)


_MODERN = {
    "drop_path": 0.1,
    "auto_augment": "rand-m9-mstd0.5-inc1",
    "mixup": 0.8,
    "cutmix": 1.0,
    "reprob": 0.25,
    "smoothing": 0.1,
}
_VIT_L = vit("vit_large", width=1024, heads=16, depth=24)
_TINY: dict[Scale, Architecture] = {
    "cifar": sized("convnext_tiny", "cifar", depths=(3, 3, 5, 2)),
    "tiny": sized("convnext_tiny", "tiny", depths=(2, 2, 6, 2)),
}
_SMALL: dict[Scale, Architecture] = {
    "cifar": sized("convnext_small", "cifar", depths=(3, 3, 14, 3)),
    "tiny": sized("convnext_small", "tiny", depths=(3, 2, 9, 2)),
}
_BASE: dict[Scale, Architecture] = {
    "cifar": sized("convnext_base", "cifar", depths=(3, 3, 14, 3)),
    "tiny": sized("convnext_base", "tiny", depths=(3, 2, 9, 2)),
}
_RESNET: dict[Scale, Architecture] = {
    "cifar": sized("resnet50", "cifar", depths=(4, 4, 7, 3)),
    "tiny": sized("resnet50", "tiny", depths=(3, 4, 6, 3)),
}
_ROBUST = (
    Arm("ResNet-50", "resnet50", at=_RESNET, printed=76.1),
    Arm("Swin-T", "swin_tiny", printed=81.2),
    Arm("ConvNeXt-T", "convnext_tiny", at=_TINY, printed=82.1),
)

STUDIES = (
    Study(
        name="convnext.table10",
        question="Which of the twelve steps from ResNet-50 to ConvNeXt-T raise the accuracy?",
        hypothesis=(
            "Most steps help a little; wider stages, fewer activations and separate downsampling help most, and depthwise "
            "convolution alone costs accuracy."
        ),
        source=f"{_SOURCE}, Table 10",
        arms=_road("resnet50"),
        baseline=f"0: {STEPS[0]}",
        comparisons="chain",
        keeps="Every network is an edit of the one before it, and all share one recipe without an average of the weights.",
        changes=f"{_SCRATCH} Step 11 is printed with multiply-adds that no network of its description has (docs/convnext.md).",
    ),
    Study(
        name="convnext.table11",
        question="Do the twelve steps help a larger network as they help a small one, from ResNet-200 to ConvNeXt-B?",
        hypothesis="They do; inverted bottlenecks and fewer norms help more than in the small network.",
        source=f"{_SOURCE}, Table 11",
        arms=_road("resnet200"),
        baseline=f"0: {STEPS[0]}",
        comparisons="chain",
        keeps="Every network is an edit of the one before it, and all share one recipe without an average of the weights.",
        changes=f"{_SCRATCH} The paper has one run of each network.",
    ),
    Study(
        name="convnext.kernel",
        question="How large should the depthwise kernel be?",
        hypothesis="Accuracy grows with the kernel up to 7 and no further.",
        source=f"{_SOURCE}, Section 2.5 and Table 10",
        arms=(
            Arm("kernel 3", "resnet50_step_6", printed=TOP1["resnet50_step_6"][0]),
            Arm("kernel 5", "resnet50_step_7_k5", printed=TOP1["resnet50_step_7_k5"][0]),
            Arm("kernel 7", "resnet50_step_7", printed=TOP1["resnet50_step_7"][0]),
            Arm("kernel 9", "resnet50_step_7_k9", printed=TOP1["resnet50_step_7_k9"][0]),
            Arm("kernel 11", "resnet50_step_7_k11", printed=TOP1["resnet50_step_7_k11"][0]),
        ),
        baseline="kernel 7",
        keeps="The networks differ in nothing but the kernel of all depthwise convolutions.",
        changes=(
            f"{_SCRATCH} At smaller scales the grids are 16, 8, 4 and 2 positions wide, and a kernel ends at what it can reach "
            "there: 31, 15, 7 and 3."
        ),
    ),
    Study(
        name="convnext.recipe",
        question="How much of the progress since ResNet-50 is training alone?",
        hypothesis="A modern recipe raises the same network by several points; part of that is the longer training.",
        source=f"{_SOURCE}, Section 2.1",
        arms=(
            Arm(
                "old recipe",
                "resnet50",
                printed=76.1,
                settings={"opt": "momentum", "lr": 0.05, "weight_decay": 1e-4, "clip_grad": None, "smoothing": 0.0},
            ),
            Arm("modern recipe, equally long", "resnet50", settings=_MODERN),
            Arm("modern recipe, 300 epochs for 90", "resnet50", settings=_MODERN, length=10 / 3, printed=78.8),
        ),
        baseline="old recipe",
        keeps=(
            "One network; SGD with momentum, crops and flips against AdamW, RandAugment, mixup, CutMix, random erasing, label "
            "smoothing and stochastic depth; training longer by the paper's factor."
        ),
        changes=(
            "The old learning rate of 0.1 for 256 pictures is halved for 128, and falls along a cosine in place of three steps. "
            "The arm in the middle is ours: it tells the recipe from the length of training. Crops are padded ones."
        ),
    ),
    Study(
        name="convnext.table1",
        question="Is a ConvNeXt better than a Swin Transformer of equal multiply-adds?",
        hypothesis="Yes, by 0.8, 0.1 and 0.3 points at three sizes.",
        source=f"{_SOURCE}, Table 1",
        arms=tuple(
            Arm(f"{family}-{size}", model, printed=top1, at=at, baseline=f"Swin-{size}")
            for size, name, small, swin, ours in (
                ("T", "tiny", _TINY, 81.3, 82.1),
                ("S", "small", _SMALL, 83.0, 83.1),
                ("B", "base", _BASE, 83.5, 83.8),
            )
            for family, model, at, top1 in (
                ("Swin", f"swin_{name}", {}, swin),
                ("ConvNeXt", f"convnext_{name}", small, ours),
            )
        ),
        baseline="Swin-T",
        keeps="Depths and widths of both families, and one recipe for both.",
        changes=f"{_SCRATCH} {_BLOCKS} The paper evaluates an average of the weights (EMA); here there is none.",
    ),
    Study(
        name="convnext.table2",
        question="Is a ConvNeXt block as good as a transformer layer in a network of one resolution?",
        hypothesis="Isotropic ConvNeXt and ViT are equal at equal multiply-adds.",
        source=f"{_SOURCE}, Table 2",
        arms=tuple(
            Arm(
                name,
                model,
                printed=top1,
                baseline=f"ViT-{size}",
                at={"tiny": sized(model, "tiny", width=width, depths=(depth,))},
            )
            for size, width, transformer, convolutional in (
                ("S", 48, ("deit_small", 79.8, 4), ("convnext_isotropic_small", 79.7, 6)),
                ("B", 96, ("deit_base", 81.8, 4), ("convnext_isotropic_base", 82.0, 6)),
                ("L", 96, (_VIT_L, 82.6, 8), ("convnext_isotropic_large", 82.6, 12)),
            )
            for name, (model, top1, depth) in (
                (f"ViT-{size}", transformer),
                (f"ConvNeXt-{size} isotropic", convolutional),
            )
        ),
        baseline="ViT-S",
        keeps="Widths, depths and patches of both families, and one recipe for both.",
        changes=f"{_SCRATCH} At scale tiny the networks are narrower than the rule makes them: 48, 96 and 96.",
    ),
    Study(
        name="convnext.table8",
        question="Which network keeps its accuracy on corrupted pictures?",
        hypothesis="ConvNeXt-T is more robust than Swin-T, and both far more than ResNet-50.",
        source=f"{_SOURCE}, Table 8",
        arms=(
            *(replace(arm, name=f"{arm.name}, clean", baseline="Swin-T, clean") for arm in _ROBUST),
            *(
                replace(
                    arm,
                    name=f"{arm.name}, {corruption.replace('_', ' ')}",
                    baseline=f"Swin-T, {corruption.replace('_', ' ')}",
                    printed=None,
                    evaluation=Evaluation(corruption=corruption),
                )
                for corruption in CORRUPTIONS
                for arm in _ROBUST
            ),
        ),
        baseline="Swin-T, clean",
        keeps="The networks of the table's upper half that we have, each trained once and shown every corruption of ImageNet-C.",
        changes=(
            f"{_SCRATCH} {_BLOCKS} The paper averages five severities against AlexNet's errors (mCE); here each "
            "corruption is an arm at severity 3, and its accuracy is compared. The corruptions are our own code. ImageNet-A, -R "
            "and -Sketch are left out."
        ),
    ),
    Study(
        name="convnext.layerscale",
        question="Does a ConvNeXt need LayerScale?",
        hypothesis="In networks of this size it does not matter; its use is in deeper ones.",
        source=f"{_SOURCE}, Table 5 (the paper prints no such comparison)",
        arms=(
            Arm("LayerScale 1e-6", "convnext_tiny", printed=82.1),
            Arm("no LayerScale", _with_layer_scale(0.0)),
            Arm("LayerScale 0.1", _with_layer_scale(0.1)),
        ),
        baseline="LayerScale 1e-6",
        keeps="The networks differ in nothing but one learned factor a channel and its initial value.",
        changes=_SCRATCH,
    ),
)
