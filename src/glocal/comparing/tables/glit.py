"""The studies of GLiT (Chen et al. 2021, arXiv:2107.02960): local heads beside global ones.

Table 5 compares methods of search, whose found networks were never published; `glocal search` and a study of one's own
architectures take its place.
"""

from glocal.comparing.study import Arm, Study
from glocal.families.glit import RELEASED, from_official

_SOURCE = "GLiT (Chen et al. 2021)"
_SCRATCH = "The paper trains 300 epochs on ImageNet-1K with DeiT's recipe; here training is short."
# The option of a block whose details are those that the first stage of the search freezes: of local, mixed, mixed and global.
_FROZEN = (3, 1, 1, 4)

STUDIES = (
    Study(
        name="glit.table1",
        question="How many of three heads should look locally?",
        hypothesis="A mix of local and global heads beats all global ones; one global and two local heads are best.",
        source=f"{_SOURCE}, Table 1",
        arms=(
            Arm("3 global, 0 local", "glit_mix_3_0", printed=72.2),
            Arm("2 global, 1 local", "glit_mix_2_1"),
            Arm("1 global, 2 local", "glit_mix_1_2"),
            Arm("0 global, 3 local", "glit_mix_0_3"),
        ),
        baseline="3 global, 0 local",
        keeps="Equal blocks at the widths of DeiT-Tiny, twelve of them or fewer; only the kind of their heads differs.",
        changes=(
            f"{_SCRATCH} The expansion of the local heads is not printed; here it is 1, so that local heads cost less than "
            "global ones."
        ),
    ),
    Study(
        name="glit.table3",
        question="Is the network that the search found better than DeiT, at three sizes?",
        hypothesis="GLiT is better than DeiT at every size, most at the smallest.",
        source=f"{_SOURCE}, Table 3",
        arms=tuple(
            Arm(f"{family}-{size}", model, printed=top1, baseline=f"DeiT-{size}")
            for size, deit, glit, theirs, ours in (
                ("Tiny", "deit_tiny", "glit_tiny", 72.2, 76.3),
                ("Small", "deit_small", "glit_small_scaled", 79.8, None),
                ("Base", "deit_base", "glit_base_scaled", 81.8, None),
            )
            for family, model, top1 in (("DeiT", deit, theirs), ("GLiT", glit, ours))
        ),
        baseline="DeiT-Tiny",
        keeps="The published GLiT-Tiny, and one recipe for both families.",
        changes=(
            f"{_SCRATCH} GLiT-Small and GLiT-Base were never published: here they are GLiT-Tiny's blocks at their widths, which "
            "are other networks, and no number is printed for them. GLiT-Tiny takes 17 % more multiply-adds than DeiT-Tiny."
        ),
    ),
    Study(
        name="glit.table4",
        question="What does the search find beyond the distribution of local and global heads?",
        hypothesis="The distribution alone beats DeiT, and the details beat the distribution alone.",
        source=f"{_SOURCE}, Table 4",
        arms=(
            Arm("DeiT-Tiny, by hand", "deit_tiny", printed=72.2),
            Arm(
                "distribution alone",
                from_official(RELEASED[0], [_FROZEN[thirds] for thirds in RELEASED[0]], name="glit_tiny_distribution"),
            ),
            Arm("distribution and details: GLiT-Tiny", "glit_tiny", printed=76.3),
        ),
        baseline="DeiT-Tiny, by hand",
        comparisons="chain",
        keeps="The found distribution, with the details that its search froze, and the network of both searches.",
        changes=(
            f"{_SCRATCH} The network of the space that was made for language (73.4 %) is not published; a search of "
            "`glit_tiny_nlp` finds one, which can be an arm of a study of one's own. The frozen details are read from the "
            "authors' code."
        ),
    ),
    Study(
        name="glit.table6",
        question="Which form of locality helps a vision transformer?",
        hypothesis="Convolution along the tokens and on the grid are equal; attention in local areas is worse.",
        source=f"{_SOURCE}, Table 6",
        arms=(
            Arm("Conv1D: GLiT-Tiny", "glit_tiny", printed=76.3),
            Arm("attention in areas of 14", "glit_tiny_area_14"),
            Arm("attention in areas of 28", "glit_tiny_area_28"),
            Arm("attention in areas of 49", "glit_tiny_area_49"),
            Arm("Conv2D, kernel 3", "glit_tiny_conv2d_3"),
            Arm("Conv2D, kernel 5", "glit_tiny_conv2d_5"),
            Arm("Conv2D, kernel 7", "glit_tiny_conv2d_7"),
        ),
        baseline="Conv1D: GLiT-Tiny",
        keeps="GLiT-Tiny's distribution; Conv2D has no class token and averages instead, as in the paper.",
        changes=(
            f"{_SCRATCH} The kernels of Conv2D are not printed. At smaller scales areas of 14, 28 and 49 of 196 patches become "
            "areas of 8, 16 and 16 of 64: a row, two rows, and a square."
        ),
    ),
)
