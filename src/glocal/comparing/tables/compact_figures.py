"""The figures of Compact Transformers (Hassani et al. 2021, arXiv:2104.05704), as studies: size, pictures a class, picture size.

The printed numbers are CIFAR-10's, read from the drawings of the paper's third version.
"""

from collections.abc import Mapping

from glocal.comparing.study import Arm, Evaluation, Scale, Study
from glocal.comparing.tables.sizes import sized
from glocal.design import Architecture

SOURCE = "Compact Transformers (Hassani et al. 2021)"
SHORT = "The paper trains 200 epochs on CIFAR-10 and reports the best of four runs; here training is short, and all seeds count."
AUGMENTED = {"auto_augment": "cifar10"}


def small_layers(model: str, *, layers: int) -> Mapping[Scale, Architecture]:
    """At scale tiny, one layer for two, two for four and six, three for seven, so that all sizes differ."""
    return {"tiny": sized(model, "tiny", depths=({2: 1, 4: 2, 6: 2, 7: 3}[layers],))}


STUDIES = (
    Study(
        name="compact.figure4",
        question="How small can a transformer be, with a convolutional tokenizer and with patches?",
        hypothesis="CCT is ahead at every size, most at the smallest.",
        source=f"{SOURCE}, Figure 4",
        arms=tuple(
            Arm(
                f"{family}-{layers}",
                model,
                printed=top1,
                baseline=f"ViT-Lite-{layers}",
                at=small_layers(model, layers=layers),
            )
            for layers, lite, ours in ((2, 72.0, 87.57), (4, 82.4, 90.99), (6, 90.94, 95.29), (7, 91.38, 94.78))
            for family, model, top1 in (
                ("ViT-Lite", f"vit_lite_{layers}_4_32", lite),
                ("CCT", f"cct_{layers}_3x1_32", ours),
            )
        ),
        baseline="ViT-Lite-2",
        settings=AUGMENTED,
        keeps="Networks of 2 to 7 layers, CCT with one convolution of 3 x 3 and ViT-Lite with patches of 4.",
        changes=f"{SHORT} At equal layers CCT has four times as many tokens, as in the paper.",
    ),
    Study(
        name="compact.figure5",
        question="How few training pictures does a compact transformer need?",
        hypothesis="The fewer the pictures, the further CCT is ahead of ViT-Lite.",
        source=f"{SOURCE}, Figure 5",
        arms=tuple(
            Arm(f"{name}, {percent} %", model, printed=top1, share=percent / 100, baseline=f"ViT-Lite-7/4, {percent} %")
            for percent, lite, ours in (
                (10, 67.87, 77.67),
                (20, 78.33, 84.42),
                (40, 84.70, 89.55),
                (60, 87.69, 91.38),
                (80, 89.64, 92.96),
                (100, 91.38, 93.65),
            )
            for name, model, top1 in (("ViT-Lite-7/4", "vit_lite_7_4_32", lite), ("CCT-7/3x2", "cct_7_3x2_32", ours))
        ),
        baseline="ViT-Lite-7/4, 100 %",
        settings=AUGMENTED,
        keeps="Shares of the pictures of each class (10 % are 500 of a class of CIFAR-10), the same ones for both networks.",
        changes=f"{SHORT} Every share is trained for equally many epochs; the paper does not say what it held equal.",
    ),
    Study(
        name="compact.figures6_7",
        question="Which picture size is best to train at, with and without positions?",
        hypothesis="CCT is ahead of ViT-Lite at every size, most without positions; beyond 32 pixels little is gained.",
        source=f"{SOURCE}, Figures 6 and 7",
        arms=tuple(
            Arm(
                f"{name}, {positions}, {size} px",
                f"{model}{part}",
                settings={"img_size": size},
                printed=top1,
                baseline=f"ViT-Lite-7/4, {positions}, {size} px",
            )
            for positions, part, columns in (
                ("learned", "", ((83.77, 89.24, 91.38, 91.51, 91.78), (84.51, 90.88, 93.65, 94.16, 93.70))),
                ("sine", "_sine", ((82.67, 88.91, 91.16, 91.36, 91.41), (84.99, 90.72, 93.67, 93.76, 93.54))),
                ("none", "_none", ((77.89, 82.31, 84.87, 84.17, 84.94), (84.34, 90.15, 92.79, 92.70, 91.90))),
            )
            for (name, model), column in zip(
                (("ViT-Lite-7/4", "vit_lite_7_4_32"), ("CCT-7/3x2", "cct_7_3x2_32")), columns, strict=True
            )
            for size, top1 in zip((16, 24, 32, 48, 64), column, strict=True)
        ),
        baseline="ViT-Lite-7/4, learned, 32 px",
        settings=AUGMENTED,
        keeps="Networks, positions and picture sizes; pictures are resized, and tokens grow with the picture.",
        changes=SHORT,
    ),
    Study(
        name="compact.figure8",
        question="Which network can be used at another picture size than it was trained at?",
        hypothesis="CCT without positions keeps most of its accuracy at other sizes; sinusoids fail on larger pictures.",
        source=f"{SOURCE}, Figure 8",
        arms=tuple(
            Arm(
                f"{name}, {positions}, {size} px",
                f"{model}{part}",
                settings={"img_size": 32},
                printed=top1,
                baseline=f"ViT-Lite-7/4, {positions}, {size} px",
                evaluation=Evaluation(img_size=None if size == 32 else size),
            )
            for positions, part, sizes, columns in (
                ("learned", "", (12, 16, 24, 32), ((26.65, 39.15, 62.60, 91.38), (None,) * 4)),
                (
                    "sine",
                    "_sine",
                    (16, 24, 32, 48, 64),
                    ((38.84, 61.07, 91.16, 40.75, 26.33), (53.55, 83.38, 93.67, 36.03, 13.83)),
                ),
                (
                    "none",
                    "_none",
                    (16, 24, 32, 48, 64),
                    ((61.89, 79.79, 84.87, 69.39, 48.24), (66.51, 87.85, 92.79, 83.51, 59.85)),
                ),
            )
            for (name, model), column in zip(
                (("ViT-Lite-7/4", "vit_lite_7_4_32"), ("CCT-7/3x2", "cct_7_3x2_32")), columns, strict=True
            )
            for size, top1 in zip(sizes, column, strict=True)
        ),
        baseline="ViT-Lite-7/4, learned, 32 px",
        settings=AUGMENTED,
        keeps="Networks are trained at 32 pixels once and evaluated at every size.",
        changes=(
            f"{SHORT} Learned positions are interpolated; the paper does not say how it aligned them with smaller pictures. "
            "Its legend names another CCT there, whose numbers are left out."
        ),
    ),
)
