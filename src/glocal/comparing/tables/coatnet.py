"""The studies of CoAtNet (Dai et al. 2021, arXiv:2106.04803): where attention begins, and what offsets, heads and strides do."""

from dataclasses import replace

from glocal.comparing.study import Arm, Pretraining, Study
from glocal.design import Architecture, Conv, Grid, Linear, Mean, Norm, Stage
from glocal.families.coatnet import RelativeTransformer

_SOURCE = "CoAtNet (Dai et al. 2021)"
_SCRATCH = "The paper trains 300 epochs on ImageNet-1K at 224 pixels; here training is short."
_TRANSFER = "The paper pre-trains on far more pictures and fine-tunes at 384 pixels; here both stages are short and of one size."


def _vit_rel(*, width: int, depth: int, head_dim: int) -> Architecture:
    """ViT_REL on 8 x 8 patches of 4 pixels, of the size that costs what the small C-C-T-T does."""
    stage = Stage(width, (RelativeTransformer(head_dim),) * depth)
    head = Mean(), Norm("layer", 1e-6), Linear(1000)
    return Architecture("vit_rel", (Conv(width, 4, 4, padding=0),), (stage,), head, Grid(3, 32, 32), init="normal")


_LAYOUTS = (
    Arm("C-C-C-C", "coatnet_layout_cccc"),
    Arm("C-C-C-T", "coatnet_layout_ccct"),
    Arm("C-C-T-T", "coatnet_layout_cctt"),
    Arm("C-T-T-T", "coatnet_layout_cttt"),
    Arm(
        "ViT_REL",
        "vit_rel",
        at={"cifar": _vit_rel(width=64, depth=6, head_dim=16), "tiny": _vit_rel(width=32, depth=5, head_dim=8)},
    ),
)

STUDIES = (
    Study(
        name="coatnet.figure1",
        question="Where should attention begin, on little data and on more?",
        hypothesis=(
            "The more convolution, the smaller the gap between training and held-out pictures; the more data, the more "
            "attention pays. C-C-T-T has both."
        ),
        source=f"{_SOURCE}, Figure 1",
        arms=tuple(
            replace(arm, name=f"{arm.name}, {percent} %", share=percent / 100, baseline=f"C-C-T-T, {percent} %")
            for percent in (10, 30, 100)
            for arm in _LAYOUTS
        ),
        baseline="C-C-T-T, 100 %",
        settings={"crop": "none", "hflip": 0.0, "smoothing": 0.0, "weight_decay": 0.0, "drop_path": 0.0},
        keeps="Layouts of equal multiply-adds, trained without augmentation and without regularisation.",
        changes=(
            "The paper takes ImageNet-1K for little data and JFT-300M for much; here shares of one data set, each for equally "
            "many epochs. It prints curves and no table, and not the sizes of its five networks: docs/coatnet.md says how ours "
            "were chosen. ViT_REL cannot match both the weights and the multiply-adds of the others."
        ),
    ),
    Study(
        name="coatnet.table2",
        question="Does C-C-T-T or C-T-T-T transfer better to other pictures?",
        hypothesis="C-C-T-T transfers better than C-T-T-T, although both fit the first pictures equally well.",
        source=f"{_SOURCE}, Table 2",
        arms=(
            Arm("C-T-T-T", "coatnet_layout_cttt", printed=81.78, pretraining=Pretraining()),
            Arm("C-C-T-T", "coatnet_layout_cctt", printed=82.39, pretraining=Pretraining()),
        ),
        baseline="C-T-T-T",
        keeps="Two layouts of equal multiply-adds, pre-trained on one data set and fine-tuned on another.",
        changes=(
            "The paper pre-trains on JFT-300M, and fine-tunes 30 epochs on ImageNet-1K. The printed numbers are those at 224 "
            "pixels; the paper does not print the sizes of its networks."
        ),
    ),
    Study(
        name="coatnet.table4",
        question="How much accuracy does each larger CoAtNet bring?",
        hypothesis="Each size is better than the one before it.",
        source=f"{_SOURCE}, Table 4",
        arms=tuple(
            Arm(f"CoAtNet-{size}", f"coatnet_{size}", printed=top1)
            for size, top1 in enumerate((81.6, 83.3, 84.1, 84.5))
        ),
        baseline="CoAtNet-0",
        comparisons="chain",
        keeps="Depths and widths grow as in Table 3; one recipe for all.",
        changes=f"{_SCRATCH} The paper's stochastic depth grows with the network; at smaller scales there is none.",
    ),
    Study(
        name="coatnet.eq3",
        question="Should the learned scalar of an offset join before or after the softmax?",
        hypothesis="Before (y_pre of Eq. 3) is at least as good as after it (y_post), and both beat none.",
        source=f"{_SOURCE}, Eq. 3",
        arms=(
            Arm("before the softmax", "coatnet_0", printed=81.6),
            Arm("after the softmax", "coatnet_0_after"),
            Arm("no offsets", "coatnet_0_none"),
        ),
        baseline="before the softmax",
        keeps="The networks differ in nothing but the place of one learned scalar for each head and offset.",
        changes=f"{_SCRATCH} The paper gives both forms and prints accuracies of y_pre alone.",
    ),
    Study(
        name="coatnet.table6",
        question="Does attention need the learned scalar of each offset?",
        hypothesis="Relative attention generalises better than plain attention, from scratch and after transfer.",
        source=f"{_SOURCE}, Table 6",
        arms=(
            Arm("plain attention", "coatnet_2_none", printed=83.8),
            Arm("relative attention", "coatnet_2", printed=84.1),
            Arm(
                "plain attention, transferred",
                "coatnet_2_none",
                printed=87.4,
                baseline="plain attention, transferred",
                pretraining=Pretraining(),
            ),
            Arm(
                "relative attention, transferred",
                "coatnet_2",
                printed=87.9,
                baseline="plain attention, transferred",
                pretraining=Pretraining(),
            ),
        ),
        baseline="plain attention",
        keeps="The networks differ in nothing but the table of offsets.",
        changes=f"{_SCRATCH} {_TRANSFER} The paper does not name the network that it transfers; here it is CoAtNet-2 again.",
    ),
    Study(
        name="coatnet.table7",
        question="How should blocks be divided between the second stage and the third?",
        hypothesis="More transformer blocks help until too few convolutions are left: V0 beats V1 and V2.",
        source=f"{_SOURCE}, Table 7",
        arms=(
            Arm("V0", "coatnet_2", printed=84.1),
            Arm("V1, blocks moved to the third stage", "coatnet_2_v1", printed=83.4),
            Arm("V2, blocks moved to the second stage", "coatnet_2_v2", printed=84.0),
            Arm("V0, transferred", "coatnet_3", printed=87.6, baseline="V0, transferred", pretraining=Pretraining()),
            Arm("V1, transferred", "coatnet_3_v1", printed=87.4, baseline="V0, transferred", pretraining=Pretraining()),
        ),
        baseline="V0",
        keeps="The number of blocks in both stages together, and all widths; multiply-adds differ, as in the paper.",
        changes=f"{_SCRATCH} {_TRANSFER}",
    ),
    Study(
        name="coatnet.table8",
        question="Do wider heads, or layer norm in the convolutions, cost accuracy?",
        hypothesis="Heads of 64 are slightly worse than heads of 32; layer norm and batch norm are equal.",
        source=f"{_SOURCE}, Table 8",
        arms=(
            Arm("heads of 32, batch norm", "coatnet_2", printed=84.1),
            Arm("heads of 64", "coatnet_2_head64", printed=83.9),
            Arm("layer norm", "coatnet_2_ln", printed=84.1),
            Arm(
                "batch norm, transferred",
                "coatnet_3",
                printed=87.9,
                baseline="batch norm, transferred",
                pretraining=Pretraining(),
            ),
            Arm(
                "layer norm, transferred",
                "coatnet_3_ln",
                printed=87.8,
                baseline="batch norm, transferred",
                pretraining=Pretraining(),
            ),
        ),
        baseline="heads of 32, batch norm",
        keeps="Widths, so that heads twice as wide are half as many; the tables of offsets halve with them.",
        changes=f"{_SCRATCH} {_TRANSFER} At smaller scales heads shrink too: 16 and 32 (cifar), 8 and 16 (tiny).",
    ),
    Study(
        name="coatnet.table9",
        question="Should an MBConv block stride in its first 1 x 1 convolution or in its depthwise one?",
        hypothesis="The strided depthwise convolution helps small networks, at more cost, and large ones no longer.",
        source=f"{_SOURCE}, Table 9",
        arms=tuple(
            Arm(
                f"CoAtNet-{size}, stride on the {place}",
                model,
                printed=top1,
                baseline=f"CoAtNet-{size}, stride on the 1 x 1",
            )
            for size, expansion, depthwise in ((0, 81.6, 82.0), (1, 83.3, 83.5), (2, 84.1, 84.1))
            for place, model, top1 in (
                ("1 x 1", f"coatnet_{size}", expansion),
                ("depthwise", f"coatnet_{size}_dw", depthwise),
            )
        ),
        baseline="CoAtNet-0, stride on the 1 x 1",
        keeps="The networks of a size differ in nothing but the place of the stride; the depthwise one costs more.",
        changes=_SCRATCH,
    ),
)
