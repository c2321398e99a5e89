"""Random architectures: what the laws of the design space are tested on. Import it as `from strategies import ...`."""

from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from glocal.design import (
    Act,
    Architecture,
    Attention,
    ClassToken,
    Conv,
    Depthwise,
    Dropout,
    First,
    Flatten,
    Grid,
    LearnedPosition,
    Linear,
    Mean,
    Norm,
    OneOf,
    Op,
    Patches,
    Pool,
    Residual,
    Sentence,
    SequencePool,
    SinePosition,
    Stage,
    Word,
)
from glocal.families import vocabulary
from glocal.families.compact import CompactLayer, tokenizer
from glocal.families.convmixer import ConvMixerLayer
from glocal.families.vit import TransformerLayer

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
    """The same examples on every run, and no time limit for one of them."""
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
    return settings(derandomize=True, database=None, deadline=None, max_examples=examples, suppress_health_check=quiet)


def _any(*options: Any) -> Any:
    return st.sampled_from(options)


acts = st.builds(Act, _any("relu", "gelu", "silu", "tanh"))
norms = st.builds(Norm, _any("batch", "layer"), _any(1e-3, 1e-5, 1e-6))
rates = _any(0.0, 0.1, 0.5)
kernels = st.integers(1, 5)


@st.composite
def stems(draw: Any) -> tuple[Grid, Sentence]:
    """A picture and the sentence that makes it a grid of 8 or 16 channels, some positions wide and high."""
    width, c = draw(_any(8, 16)), draw(st.integers(1, 4))
    h, w = draw(st.tuples(st.integers(7, 16), st.integers(7, 16)))
    kind = draw(_any("patches", "tokenizer", "conv", "mixer"))
    if kind == "patches":
        patch = draw(st.integers(1, 4))
        return Grid(c, h // patch * patch, w // patch * patch), (Patches(width, patch),)
    if kind == "tokenizer":
        return Grid(c, h, w), tokenizer(width, kernel=draw(_any(1, 2, 3, 4, 5, 7)), blocks=draw(st.integers(1, 3)))
    if kind == "mixer":
        return Grid(c, h, w), (Conv(width, patch := draw(st.integers(1, 5)), patch, padding=0), draw(acts), BN)
    groups = draw(st.sampled_from([g for g in (1, 2, 4) if c % g == 0]))
    conv = Conv(width, draw(kernels), draw(_any(1, 2, 3)), groups=groups, bias=draw(st.booleans()))
    pool = Pool(draw(_any("max", "average")), draw(_any(2, 3)), 2, draw(_any(0, 1)))
    return Grid(c, h, w), draw(_any((conv,), (conv, draw(norms)), (conv, draw(acts), pool)))


@st.composite
def chains(draw: Any, width: int, *, grid: bool) -> Word:
    """A word that says a random sentence from `width` to `width` channels."""
    inner = draw(_any(4, 8, 12))
    bias = draw(st.booleans())
    options: list[Op] = [
        draw(norms),
        draw(acts),
        Dropout(draw(rates)),
        Attention(draw(st.integers(1, 3)), draw(st.integers(1, 5)), inner, bias, draw(rates)),
        Linear(inner, bias),
    ]
    options += [Depthwise(draw(kernels), bias=bias), Conv(inner, draw(kernels), bias=bias)] if grid else []
    said: Sentence = (*draw(st.lists(st.sampled_from(options), max_size=4)), Linear(width))
    shortcut = draw(_any((), (Linear(width),), (LN, Linear(width, bias=False))))
    return Say((Residual(said, shortcut),) if draw(st.booleans()) else (*said, Residual(said)))


def blocks(width: int, *, grid: bool) -> Any:
    """Any word that keeps its width: those of all families, and random sentences."""
    heads, expansion = _any(1, 2, 4), _any(1, 2, 1.5)
    transformer = st.builds(
        TransformerLayer, heads, expansion, st.booleans(), _any(1e-5, 1e-6), dropout=rates, attention_dropout=rates
    )
    compact = st.builds(CompactLayer, heads, expansion, rates, rates)
    mixer = st.builds(ConvMixerLayer, st.integers(1, 6), _any("gelu", "relu"))
    return st.one_of(compact, transformer, chains(width, grid=grid), *([mixer] if grid else []))


@st.composite
def architectures(draw: Any, *, blocks_of: Any = blocks) -> Architecture:
    """A stem, up to two stages on a grid, up to two on tokens, and a head that suits what they leave."""
    (image, stem), stages = draw(stems()), list[Stage]()
    width = next(op.width for op in reversed(stem) if isinstance(op, Conv | Patches))
    kind = draw(_any("grid", "tokens", "grid then tokens"))

    def stage(downsample: Word | None, *, stride: int = 1) -> Stage:
        said = draw(st.lists(blocks_of(width, grid=grid), min_size=int(downsample is None), max_size=2))
        repeat = draw(st.integers(1, 3))
        return Stage(width, tuple(word for word in said for _ in range(repeat)), stride, downsample)

    token = draw(st.booleans())
    place = draw(_any((), (LearnedPosition(),), (LearnedPosition(0.2, "bilinear"),), (SinePosition(),)))
    to_tokens = (Flatten(), *([ClassToken()] if token else []), *place)
    grid = kind != "tokens"
    if not grid:
        stem += to_tokens
    for i in range(draw(st.integers(0, 2))):
        width = draw(_any(8, 16, 24)) if i else width
        shrink = Shrink(draw(_any(2, 3))) if i else None
        stages.append(stage(shrink, stride=draw(_any(1, 2)) if i and grid else 1))
    if kind == "grid then tokens":
        grid = False
        stages.append(stage(Say(to_tokens)))
    pools: list[Op] = [Mean(), *([] if grid else [SequencePool()]), *([First()] if token and not grid else [])]
    late: Sentence = (Flatten(),) if grid and draw(st.booleans()) else ()
    pool = draw(st.sampled_from([*pools, SequencePool()] if late else pools))
    hidden = draw(_any((), (LN,), (Linear(6), Act("tanh"), Dropout(0.5)), (LN, Linear(5, bias=False))))
    return Architecture(
        draw(_any("random", "another_name")),
        stem=stem,
        stages=tuple(stages),
        head=(*draw(_any((), (LN,), (BN,))), *late, pool, *hidden, Linear(draw(st.integers(1, 7)))),
        image=image,
        init=draw(_any("torch", "vit", "compact")),
        drop_path=draw(_any(0.0, 0.1, 0.3)),
    )


@st.composite
def _open(draw: Any, width: int, *, grid: bool) -> Word:
    options = draw(st.lists(blocks(width, grid=grid), min_size=1, max_size=3))
    return OneOf(tuple(options)) if draw(st.booleans()) else options[0]


def spaces() -> Any:
    """Architectures some of whose blocks are open questions."""
    return architectures(blocks_of=_open)
