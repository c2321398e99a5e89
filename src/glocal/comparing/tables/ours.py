"""Studies of our own: the families side by side, and how much of a network should convolve, both at equal multiply-adds."""

from dataclasses import replace

from glocal.comparing.scaling import edited_widths
from glocal.comparing.study import Arm, Study
from glocal.comparing.tables.sizes import sized
from glocal.design import Architecture, Conv, Grid, Linear, Mean, Norm, Stage, Word, adapt
from glocal.families import architecture
from glocal.families.coatnet import RelativeTransformer
from glocal.families.convnext import ConvNeXtBlock
from glocal.families.glit import RELEASED, from_official
from glocal.families.poolformer import Size, poolformer


def _hybrid(convolutions: int, *, depth: int, width: int, head_dim: int, patch: int, image: int) -> Architecture:
    """So many ConvNeXt blocks, then transformers, all at one resolution; a block of either kind costs about the same."""
    convolution, attention = ConvNeXtBlock(expansion=6.0, scale=0.0), RelativeTransformer(head_dim)
    blocks: tuple[Word, ...] = (*(convolution,) * convolutions, *(attention,) * (depth - convolutions))
    return Architecture(
        f"hybrid_{convolutions}_of_{depth}",
        stem=(Conv(width, patch, patch, padding=0),),
        stages=(Stage(width, blocks),),
        head=(Mean(), Norm("layer", 1e-6), Linear(1000)),
        image=Grid(3, image, image),
        init="normal",
    )


def _widened(model: str, factor: int) -> Architecture:
    """A network whose stem, stages and head are so many times as wide."""
    arch = architecture(model)

    def wider(width: int) -> int:
        return factor * width

    stages = tuple(replace(stage, width=wider(stage.width)) for stage in arch.stages)
    head = (*edited_widths(arch.head[:-1], wider), arch.head[-1])
    return replace(arch, name=f"{model}_x{factor}", stem=edited_widths(arch.stem, wider), stages=stages, head=head)


_Sizes = tuple[int | None, tuple[int, ...] | None]
_CCT = architecture("cct_14_7x2_224")
_CCT_11 = replace(_CCT, name="cct_11_7x2_224", stages=(replace(_CCT.stages[0], blocks=_CCT.stages[0].blocks[:11]),))
_POOLFORMER = poolformer(
    "poolformer_s31", Size((5, 5, 16, 5), (64, 128, 320, 512), 1e-5, 0.1), head=architecture("poolformer_s24").head
)
# Networks whose smaller scales begin at another one than that of the paper's scale.
_SMALL: dict[str, str] = {
    "airbench": "airbench_64_256_256",
    "MobileNetV4": "mobilenetv4_conv_small",
    "CCT": "cct_7_3x2_32",
    "GLiT": "glit_tiny",
    "ViT": "deit_tiny",
}
# Arms as (name, network, width and depths at scale cifar, the same at scale tiny), so that all of a scale cost alike.
_FAMILIES: tuple[tuple[str, str | Architecture, _Sizes, _Sizes], ...] = (
    ("airbench", adapt(architecture("airbench_64_128_256"), size=224), (36, None), (16, None)),
    ("ResNet", "resnet50", (None, (4, 4, 7, 3)), (None, (3, 4, 6, 3))),
    ("MobileNetV4", _widened("mobilenetv4_conv_small", 5), (64, None), (32, None)),
    ("ConvNeXt", "convnext_tiny", (None, (3, 3, 5, 2)), (None, (2, 2, 6, 2))),
    ("ConvMixer", "convmixer_896_20_p14_k9", (352, None), (192, None)),
    ("CoAtNet", "coatnet_0", (None, None), (None, None)),
    ("PoolFormer", _POOLFORMER, (48, (2, 2, 6, 2)), (24, (2, 2, 6, 2))),
    ("Swin", "swin_tiny", (None, None), (None, None)),
    ("GLiT", from_official(*RELEASED, width=336, heads=6, name="glit_336"), (60, None), (36, None)),
    ("CCT", _CCT_11, (96, (3,)), (52, (2,))),
    ("ViT", "deit_small", (72, (5,)), (36, (4,))),
)

STUDIES = (
    Study(
        name="glocal.families",
        question="Which family of networks is best at equal multiply-adds?",
        hypothesis="On few pictures, networks that begin with convolutions are ahead of those of attention alone.",
        source="our own",
        arms=tuple(
            Arm(
                name,
                model,
                at={
                    "cifar": sized(_SMALL.get(name, model), "cifar", width=cifar[0], depths=cifar[1]),
                    "tiny": sized(_SMALL.get(name, model), "tiny", width=tiny[0], depths=tiny[1]),
                },
            )
            for name, model, cifar, tiny in _FAMILIES
        ),
        baseline="ResNet",
        keeps="Each family's own stem, blocks and head; one recipe for all.",
        changes=(
            "Where no paper has a network of about 4.4 G multiply-adds, widths or depths are ours; at smaller scales they are "
            "chosen so that all cost about 24 M (cifar) or 5.5 M (tiny). CCT has a tokenizer for small pictures there."
        ),
    ),
    Study(
        name="glocal.hybrids",
        question="How much of a network should convolve before attention begins, at equal multiply-adds?",
        hypothesis="A share between a quarter and three quarters is better than all convolution or all attention.",
        source="our own",
        arms=tuple(
            Arm(
                f"{quarters * 25} % convolution",
                _hybrid(3 * quarters, depth=12, width=384, head_dim=32, patch=16, image=224),
                at={
                    "cifar": _hybrid(2 * quarters, depth=8, width=64, head_dim=16, patch=4, image=32),
                    "tiny": _hybrid(quarters, depth=4, width=48, head_dim=16, patch=4, image=32),
                },
            )
            for quarters in range(5)
        ),
        baseline="50 % convolution",
        keeps="Depth, width, resolution and, within an eighth, multiply-adds; blocks of convolution come first.",
        changes=(
            "ConvNeXt's blocks are widened six times, so that they cost what CoAtNet's transformers do. Equal measured latency "
            "is another question: `glocal benchmark` says what each arm takes on a machine."
        ),
    ),
)
