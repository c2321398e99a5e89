"""How much memory a forward pass of one picture needs, without weights or a pass: a fold over parts.

Counted, in float32: the weights, what layers keep between passes (the biases of relative attention), and the most activations
that are alive at once. A layer needs what it is given, what it leaves and what it makes on the way; each op says how much that
is (`Op.memory`, `Op.kept`). Meanwhile there wait the input of a residual or
split and the branch that is done, and what network, stage and block were given. Views and what is done in place are free.
The workspace of a convolution, the framework itself, and training are not counted.
"""

from functools import lru_cache
from itertools import accumulate

from glocal.design.architecture import Architecture, Part, parts
from glocal.design.cost import part_cost
from glocal.design.op import Op, Residual, Sentence, Split, leaves, numbers, read, steps
from glocal.design.ops.convolutions import Conv, Depthwise
from glocal.design.ops.pointwise import Act, Dropout, Linear, Norm
from glocal.design.ops.sequences import First, Flatten, Unflatten
from glocal.design.shapes import Shape

FLOAT32 = 4
VIEWS = (Dropout, First, Flatten, Unflatten)
OVERWRITTEN = (Conv, Depthwise, Linear, Norm)  # by a ReLU that follows


def memory_bytes(arch: Architecture) -> int:
    """Bytes of the weights and of the activations at the fullest moment, for one picture in evaluation."""
    first: dict[str, int] = {}  # a container's path -> the part that reads what it was given
    given, always, most = list[int](), 0, 0
    for i, (path, part) in enumerate(parts(arch)):
        given.append(numbers(part.given))
        waiting = {first.setdefault(container, i) for container in accumulate(path.split(".")[:-1], initial="")}
        kept, peak = _of_part(part)
        always += kept
        most = max(most, peak + sum(given[j] for j in waiting if j < i))
    return FLOAT32 * (always + most)


@lru_cache(maxsize=1 << 16)
def _of_part(part: Part) -> tuple[int, int]:
    """Numbers that are always there, and the most that are alive while the part runs, its input among them."""
    kept = sum(op.kept(s) for _, op, s in leaves(part.sentence, part.given))
    return part_cost(part).params + kept, numbers(part.given) + _beside(part.sentence, part.given)


def _beside(sentence: Sentence, s: Shape) -> int:
    """The most numbers that are alive beside the input of a sentence, which waits until it is done."""
    most = own = 0
    before: Op | None = None
    for _, op, given in steps(sentence, s):
        in_place = isinstance(op, Act) and op.kind == "relu" and isinstance(before, OVERWRITTEN)
        if not in_place and not isinstance(op, VIEWS):
            most = max(most, own + _made(op, given))
            own = numbers(op.out(given))
        before = op
    return most


def _made(op: Op, s: Shape) -> int:
    """The most numbers that are alive beside an op's input: what it makes on the way, and leaves."""
    if isinstance(op, Residual):
        left = numbers(op.out(s))
        branch, shortcut = _beside(op.branch, s), _beside(op.shortcut, s)
        return max(branch, left + shortcut, (3 if op.shortcut else 2) * left)
    if isinstance(op, Split):
        (_, one, at), (_, other, rest) = op.inside(s)
        done = numbers(read(one, at))
        return max(_beside(one, at), done + _beside(other, rest), 2 * numbers(op.out(s)))
    return op.memory(s)
