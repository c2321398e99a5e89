"""How much memory a forward pass of one picture needs, without weights or a pass: a fold over parts.

Counted, in float32: the weights, the biases that relative attention keeps between passes, and the most activations that are
alive at once. A layer needs what it is given, what it leaves, and what attention makes in between: q, k, v and what they
gather, never the matrix of weights, which fused attention does not keep. Meanwhile there wait the input of a residual or
split and the branch that is done, and what network, stage and block were given. Views and what is done in place are free.
The workspace of a convolution, the framework itself, and training are not counted.
"""

from functools import lru_cache
from itertools import accumulate

from glocal.design.architecture import Architecture, Part, parts
from glocal.design.attention import AreaAttention, Attention, RelativeAttention
from glocal.design.convolutions import Conv, Depthwise
from glocal.design.cost import part_cost
from glocal.design.op import Op, Residual, Sentence, Split, leaves, read, steps
from glocal.design.pointwise import Act, Dropout, Linear, Norm
from glocal.design.sequences import First, Flatten, Unflatten
from glocal.design.shapes import Grid, Shape

FLOAT32 = 4
VIEWS = (Dropout, First, Flatten, Unflatten)
OVERWRITTEN = (Conv, Depthwise, Linear, Norm)  # by a ReLU that follows


def memory_bytes(arch: Architecture) -> int:
    """Bytes of the weights and of the activations at the fullest moment, for one picture in evaluation."""
    first: dict[str, int] = {}  # a container's path -> the part that reads what it was given
    given, always, most = list[int](), 0, 0
    for i, (path, part) in enumerate(parts(arch)):
        given.append(_numbers(part.given))
        waiting = {first.setdefault(container, i) for container in accumulate(path.split(".")[:-1], initial="")}
        kept, peak = _of_part(part)
        always += kept
        most = max(most, peak + sum(given[j] for j in waiting if j < i))
    return FLOAT32 * (always + most)


@lru_cache(maxsize=1 << 16)
def _of_part(part: Part) -> tuple[int, int]:
    """Numbers that are always there, and the most that are alive while the part runs, its input among them."""
    biases = sum(
        op.heads * (s.n**2 + (2 * s.h - 1) * (2 * s.w - 1))  # with a copy of the table
        for _, op, s in leaves(part.sentence, part.given)
        if isinstance(op, RelativeAttention) and isinstance(s, Grid)
    )
    return part_cost(part).params + biases, _numbers(part.given) + _beside(part.sentence, part.given)


def _beside(sentence: Sentence, s: Shape) -> int:
    """The most numbers that are alive beside the input of a sentence, which waits until it is done."""
    most = own = 0
    before: Op | None = None
    for _, op, given in steps(sentence, s):
        in_place = isinstance(op, Act) and op.kind == "relu" and isinstance(before, OVERWRITTEN)
        if not in_place and not isinstance(op, VIEWS):
            most = max(most, own + _made(op, given))
            own = _numbers(op.out(given))
        before = op
    return most


def _made(op: Op, s: Shape) -> int:
    """The most numbers that are alive beside an op's input: what it makes on the way, and leaves."""
    left = _numbers(op.out(s))
    if isinstance(op, Residual):
        branch, shortcut = _beside(op.branch, s), _beside(op.shortcut, s)
        return max(branch, left + shortcut, (3 if op.shortcut else 2) * left)
    if isinstance(op, Split):
        (_, one, at), (_, other, rest) = op.inside(s)
        done = _numbers(read(one, at))
        return max(_beside(one, at), done + _beside(other, rest), 2 * left)
    if isinstance(op, Attention):
        inner = op.inner * s.n
        return max((7 if isinstance(op, AreaAttention) else 4) * inner, inner + left)
    return left


def _numbers(s: Shape) -> int:
    return s.c * s.n
