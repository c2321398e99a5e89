"""Random architectures: what the laws of the design space are tested on. Import it as `from strategies import ...`.

Any word stands in any stage of any family, wherever the shape it is given can be read: a walk over shapes draws what fits.
"""

from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from glocal.design import (
    Act,
    Architecture,
    AreaAttention,
    Attention,
    ClassToken,
    Conv,
    Conv1d,
    Depthwise,
    Depthwise1d,
    Dropout,
    First,
    Flatten,
    Gate,
    Grid,
    LearnedPosition,
    Linear,
    LogRelativeAttention,
    Mean,
    Norm,
    OneOf,
    Op,
    Patches,
    Pool,
    RelativeAttention,
    Residual,
    Scale,
    Sentence,
    SequencePool,
    Shape,
    SinePosition,
    Split,
    SqueezeExcite,
    Stage,
    Tokens,
    Unflatten,
    Word,
)
from glocal.design.op import read
from glocal.errors import ArchitectureError
from glocal.families import catalogue, coatnet, resnet, vocabulary
from glocal.families.airbench import ConvGroup
from glocal.families.coatnet import MBConv, RelativeTransformer
from glocal.families.compact import CompactLayer, tokenizer
from glocal.families.convmixer import ConvMixerLayer
from glocal.families.convnext import ConvNeXtBlock, Downsample
from glocal.families.glit import GLiTAreaBlock, GLiTBlock, GLiTGridBlock
from glocal.families.mixture import ToGrid, ToTokens
from glocal.families.resnet import BOTTLENECK, ResidualBlock
from glocal.families.vit import TransformerLayer
from tries import tries

LN, BN = Norm("layer"), Norm("batch")


@dataclass(frozen=True)
class Say:
    """A word of the tests: it says the sentence that it is given."""

    sentence: Sentence

    def spell(self, width_in: int, width: int, stride: int) -> Sentence:
        return self.sentence


@dataclass(frozen=True)
class Shrink:
    """A word of the tests: it changes width and resolution, on a grid or (without a stride) on tokens."""

    kernel: int = 2

    def spell(self, width_in: int, width: int, stride: int) -> Sentence:
        return (LN, Linear(width)) if stride == 1 else (BN, Conv(width, self.kernel, stride))


def words() -> dict[str, type]:
    """The vocabulary of `architectures`."""
    return {**vocabulary(), "Say": Say, "Shrink": Shrink}


def law(examples: int) -> Any:
    """The same examples on every run, and no time limit for one of them. GLOCAL_TRIES sets another number of them."""
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
    return settings(
        derandomize=True, database=None, deadline=None, max_examples=tries(examples), suppress_health_check=quiet
    )


def _any(*options: Any) -> Any:
    return st.sampled_from(options)


def _divisors(n: int) -> Any:
    return st.sampled_from([d for d in range(1, n + 1) if n % d == 0])


acts = st.builds(Act, _any("relu", "gelu", "silu", "tanh"))
norms = st.builds(Norm, _any("batch", "layer", "variance"), _any(1e-3, 1e-5, 1e-6))
position_norms = st.builds(Norm, _any("layer", "variance"), _any(1e-5, 1e-6))
rates = _any(0.0, 0.1, 0.5)
kernels = st.integers(1, 5)
positions = _any((), (LearnedPosition(),), (LearnedPosition(0.2, "bilinear"),), (SinePosition(),))


@st.composite
def _conv_stem(draw: Any, width: int, c: int) -> Sentence:
    groups = draw(st.sampled_from([g for g in (1, 2, 4) if c % g == 0]))
    conv = Conv(width, draw(kernels), draw(_any(1, 2, 3)), groups=groups, bias=draw(st.booleans()))
    pool = Pool(draw(_any("max", "average")), draw(_any(2, 3)), 2, draw(_any(0, 1)))
    return draw(_any((conv,), (conv, draw(norms)), (conv, draw(acts), pool)))


@st.composite
def stems(draw: Any) -> tuple[Grid, Sentence]:
    """A picture and the sentence that makes it a grid of 8 or 16 channels, some positions wide and high."""
    width, c = draw(_any(8, 16)), draw(st.integers(1, 4))
    h, w = draw(st.tuples(st.integers(7, 16), st.integers(7, 16)))
    patch = draw(st.integers(1, 4))
    if draw(st.integers(0, 6)) == 0:
        return Grid(c, h // patch * patch, w // patch * patch), (Patches(width, patch),)
    stem = draw(
        st.one_of(
            _conv_stem(width, c),
            st.builds(tokenizer, st.just(width), kernel=_any(1, 2, 3, 4, 5, 7), blocks=st.integers(1, 3)),
            st.tuples(st.just(Conv(width, patch + 1, patch + 1, padding=0)), acts, st.just(BN)),
            st.tuples(st.just(Conv(width, patch, patch, padding=0)), position_norms),
            _any(coatnet.stem(width), resnet.stem(width)),
        )
    )
    return Grid(c, h, w), stem


inner = _any(4, 8, 12)
attending = (st.integers(1, 3), st.integers(1, 5), inner, st.booleans(), rates)
anywhere = (
    norms,
    acts,
    st.builds(Dropout, rates),
    st.builds(Attention, *attending),
    st.builds(Linear, inner, st.booleans()),
    st.builds(Scale, _any(1e-6, 0.1, 1.0)),
    st.builds(SqueezeExcite, st.integers(1, 5), _any("silu", "relu")),
)
on_grids = (
    st.builds(Depthwise, kernels, bias=st.booleans()),
    st.builds(Conv, inner, kernels, bias=st.booleans()),
    st.builds(RelativeAttention, *attending, _any("before", "after")),
    st.builds(LogRelativeAttention, *attending, st.integers(1, 9)),
)
on_tokens = (
    st.builds(Conv1d, inner, kernels, st.booleans()),
    st.builds(Depthwise1d, kernels, st.booleans()),
)


@st.composite
def _split(draw: Any, s: Shape, *, depth: int) -> Op:
    first = draw(st.integers(2, s.c - 2))
    one, other = (draw(_ops(s._replace(c=c), depth=depth + 1)) for c in (first, s.c - first))
    return Split(first, one, other)


def _op(s: Shape, *, depth: int = 0) -> Any:
    """An op that can read s and keeps its positions."""
    here: list[Any] = [*on_grids]
    if isinstance(s, Tokens):
        here = [*on_tokens, st.builds(AreaAttention, *attending, _divisors(s.h), _divisors(s.w))]
    here += [st.just(Gate())] if s.c % 2 == 0 and s.c > 2 else []
    here += [_split(s, depth=depth)] if s.c > 3 and depth < 2 else []
    return st.one_of(*anywhere, *here)


@st.composite
def _ops(draw: Any, s: Shape, *, depth: int = 0) -> Sentence:
    """Up to four ops, on their grid or as tokens as s is; tokens without a class token may go over the grid and back."""
    said: Sentence = ()
    for _ in range(draw(st.integers(0, 4 - depth))):
        there = isinstance(s, Tokens) and not s.extra and draw(st.integers(0, 3)) == 0
        ops: Sentence = (Unflatten(), draw(_op(read((Unflatten(),), s), depth=depth)), Flatten()) if there else ()
        ops = ops or (draw(_op(s, depth=depth)),)
        said, s = (*said, *ops), read(ops, s)
    return said


@st.composite
def chains(draw: Any, s: Shape) -> Word:
    """A word that says a random sentence and keeps the shape."""
    said: Sentence = (*draw(_ops(s)), Linear(s.c))
    shortcut = draw(_any((), (Linear(s.c),), (LN, Linear(s.c, bias=False))))
    return Say((Residual(said, shortcut),) if draw(st.booleans()) else (*said, Residual(said)))


_branches = _any(
    BOTTLENECK.branch,
    "1x1/4 bn relu d3x3 bn relu 1x1 bn",
    "1x1*4 bn relu d3x3 bn relu 1x1 bn",
    "d5x5 bn gelu 1x1*4 bn gelu 1x1 bn",
    "d7x7 ln 1x1*4 gelu 1x1 scale",
    "3x3 bn relu 3x3 bn",
    "ln d2x2 3x3*2 gelu 1x1",
)
residual = st.builds(ResidualBlock, _branches, _any("bn", "ln"), _any("relu", "gelu", ""))
mbconv = st.builds(
    MBConv,
    st.integers(1, 4),
    _any(0.25, 0.5, 0.01),
    _any(1, 3, 4, 5),
    _any("expansion", "depthwise"),
    _any("batch", "layer"),
    _any("max", "average"),
)


@st.composite
def relative(draw: Any, width: int) -> Word:
    """A RelativeTransformer whose heads divide `width`."""
    offsets, pool = draw(_any("before", "after", "none")), draw(_any("max", "average"))
    return RelativeTransformer(draw(_divisors(width)), draw(_any(1, 2, 1.5)), offsets, pool, draw(rates))


@st.composite
def glit_blocks(draw: Any, s: Tokens) -> Word:
    """A block of GLiT's on given tokens, of the three kinds of local heads, some, all or none of them local."""
    heads = draw(st.sampled_from([n for n in (1, 2, 4, 8) if s.c % n == 0]))
    local, qkv, ratio = draw(st.integers(0, heads)), draw(_any(1.0, 2.0)), draw(_any(1, 2, 1.5))
    act, rate = draw(_any("gelu", "silu")), draw(rates)
    kind = draw(_any("along", "area", *(["grid", "grid"] if not s.extra else [])))
    if kind == "area":
        return GLiTAreaBlock(heads, local, qkv, ratio, act, rate, draw(_divisors(s.h)), draw(_divisors(s.w)))
    cls = GLiTGridBlock if kind == "grid" else GLiTBlock
    return cls(heads, local, qkv, ratio, act, rate, draw(st.integers(1, 9)), draw(st.integers(1, 4)))


# Words whose fields the strategies here know. Those of all others are drawn by their types, so that the laws hold of a new
# word of the catalogue as soon as it stands there.
BY_HAND = {
    *(CompactLayer, ConvGroup, ConvMixerLayer, ConvNeXtBlock, Downsample, GLiTAreaBlock, GLiTBlock, GLiTGridBlock),
    *(MBConv, RelativeTransformer, ResidualBlock, ToGrid, ToTokens, TransformerLayer),
}
OTHERS = [word for word in catalogue.words() if word not in BY_HAND]


def _values(kind: Any, name: str, default: Any) -> Any:
    """Values of a field of a word; not all of them need to fit."""
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if kind is bool:
        return st.booleans()
    if kind is int:
        return _any(default, 0, 1, 2, 3, 4, 5)
    if kind is float:
        return rates if "dropout" in name else _any(default, 0.5, 1.0, 2.0)
    return st.just(default)


@st.composite
def fitting(draw: Any, word: type[Word], s: Shape, *, width: int, stride: int, otherwise: Any) -> Word:
    """A word of this class, if one of several leads from s to that width at that stride; else what `otherwise` draws."""
    kinds = get_type_hints(word)
    drawn = st.fixed_dictionaries({f.name: _values(kinds[f.name], f.name, f.default) for f in fields(word)})  # type: ignore
    for _ in range(6):
        try:
            made = word(**draw(drawn))
            left = read(made.spell(s.c, width, stride), s)
        except ArchitectureError:
            continue
        if left.c == width and (stride > 1 or left == s._replace(c=width)):
            return made
    return draw(otherwise)


def blocks(s: Shape) -> Any:
    """Any word that reads s and leaves it as it is: those of all families, and random sentences."""
    heads, expansion = _any(1, 2, 4), _any(1, 2, 1.5)
    transformer = st.builds(
        TransformerLayer, heads, expansion, st.booleans(), _any(1e-5, 1e-6), dropout=rates, attention_dropout=rates
    )
    options = [st.builds(CompactLayer, heads, expansion, rates, rates), transformer, chains(s)]
    other = st.sampled_from(OTHERS).flatmap(lambda word: fitting(word, s, width=s.c, stride=1, otherwise=chains(s)))
    if isinstance(s, Tokens):
        return st.one_of(*options, glit_blocks(s), other)
    mixer = st.builds(ConvMixerLayer, st.integers(1, 6), _any("gelu", "relu"))
    convnext = st.builds(ConvNeXtBlock, st.integers(1, 7), expansion, _any(0.0, 1e-6, 1.0), position_norms)
    return st.one_of(*options, mixer, convnext, mbconv, residual, relative(s.c), other)


@st.composite
def _stage(draw: Any, s: Shape, *, blocks_of: Any, fresh: bool) -> Stage:
    """A stage that reads s: it keeps it, or a downsampling or its first block leads to another shape."""
    width, said = s.c, list[Word]()
    down: Word | None = None
    steps = ["keep", *([] if fresh else ["shrink"])]
    if isinstance(s, Grid):
        steps += ["downsample", "first block", "first block", "tokens", "tokens"]
    elif not s.extra:
        steps += ["grid", "grid"]
    kind = draw(st.sampled_from(steps))
    strides = [1, 2] if isinstance(s, Grid) and min(s.h, s.w) > 1 else [1]
    stride = draw(st.sampled_from(strides)) if kind != "keep" else 1
    if kind != "keep":
        width = draw(_any(8, 16, 24))
    if kind == "shrink":
        down = Shrink(draw(_any(2, 3)))
    elif kind == "downsample":
        down = Downsample(draw(position_norms))
    elif kind == "grid":
        down, stride = ToGrid(), 1
    elif kind == "first block":
        even = stride == 1 or (s.h % 2 == s.w % 2 == 0)
        halving = [st.just(ConvGroup())] * 2 if stride == 2 else []
        said.append(draw(st.one_of(residual, relative(width), *halving, *([mbconv] if even else []))))
    elif kind == "tokens" and draw(st.booleans()):
        down = ToTokens(draw(st.booleans()))
    elif kind == "tokens":
        width, stride = s.c, 1
        down = Say((Flatten(), *draw(_any((), (ClassToken(),), (ClassToken(),) * 2)), *draw(positions)))
    for word in (down, *said):
        s = read(word.spell(s.c, width, stride), s) if word else s
    for word in draw(st.lists(blocks_of(s), min_size=int(kind == "keep"), max_size=2)):
        said += [word] * draw(st.integers(1, 2))
    return Stage(width, tuple(said), stride, down)


@st.composite
def _stage_of(draw: Any, word: type[Word], s: Grid) -> Stage:
    """A stage of one block, or one downsampling, that is of this class where that fits."""
    width, stride = draw(_any((8, 1), (16, 1), (s.c, 1), (8, 2), (24, 2)))
    stride = stride if min(s.h, s.w) > 1 else 1
    found = draw(fitting(word, s, width=width, stride=stride, otherwise=st.just(Shrink())))
    return Stage(width, (), stride, found) if draw(st.booleans()) else Stage(width, (found,), stride)


@st.composite
def architectures(draw: Any, *, blocks_of: Any = blocks) -> Architecture:
    """A stem, up to four stages on grids or tokens, and a head that suits what they leave."""
    first = draw(st.sampled_from([*[None] * len(OTHERS), *OTHERS]))  # half of all begin with one of the others
    (image, stem), stages = draw(stems()), list[Stage]()
    s = read(stem, image)
    if first is not None:
        stages.append(draw(_stage_of(first, s)))
        s = _left(stages[0], s)
    elif draw(st.integers(0, 3)) == 0:
        stem += (Flatten(), *draw(_any((), (ClassToken(),))), *draw(positions))
        s = read(stem, image)
    for i in range(draw(st.integers(0, 4))):
        stage = draw(_stage(s, blocks_of=blocks_of, fresh=i == 0 and not stages))
        stages.append(stage)
        s = _left(stage, s)
    late: Sentence = (Flatten(),) if isinstance(s, Grid) and draw(st.booleans()) else ()
    late = (Unflatten(),) if isinstance(s, Tokens) and not s.extra and draw(st.integers(0, 3)) == 0 else late
    s = read(late, s)
    pools: list[Op] = [Mean()]
    pools += [SequencePool(), *([First()] if s.extra else [])] if isinstance(s, Tokens) else []
    hidden = draw(_any((), (LN,), (Linear(6), Act("tanh"), Dropout(0.5)), (LN, Linear(5, bias=False)), (Gate(),)))
    return Architecture(
        draw(_any("random", "another_name")),
        stem=stem,
        stages=tuple(stages),
        head=(
            *draw(_any((), (LN,), (BN,))),
            *late,
            draw(st.sampled_from(pools)),
            *hidden,
            Linear(draw(st.integers(1, 7))),
        ),
        image=image,
        init=draw(_any("torch", "vit", "compact", "normal", "resnet")),
        drop_path=draw(_any(0.0, 0.1, 0.3)),
    )


def _left(stage: Stage, s: Shape) -> Shape:
    """What a stage leaves; a block that is still a question leaves what it is given."""
    stride = stage.stride
    for word in (stage.downsample, *stage.blocks):
        if word is not None and not isinstance(word, OneOf):
            s = read(word.spell(s.c, stage.width, stride), s)
            stride = 1
    return s


@st.composite
def _open(draw: Any, s: Shape) -> Word:
    options = draw(st.lists(blocks(s), min_size=1, max_size=3))
    return OneOf(tuple(options)) if draw(st.booleans()) else options[0]


def spaces() -> Any:
    """Architectures some of whose blocks are open questions."""
    return architectures(blocks_of=_open)
