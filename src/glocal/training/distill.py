"""Learning from a teacher: a trained network whose answers join the labels in the loss, as in DeiT (arXiv:2012.12877).

DeiT's second head and its distillation token are not here: our networks have one head, which learns from both.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from glocal.data import Preprocess
from glocal.errors import RecipeError, WeightError
from glocal.training.recipe import Recipe
from glocal.weights import find_weights, load_model
from glocal.weights.files import read
from glocal.weights.find import timm_card

ALPHA = {"hard": 0.5, "soft": 0.1}  # DeiT: the halves of its hard distillation, and what it took for the soft one


def distilled_loss(recipe: Recipe, base: Tensor, logits_BK: Tensor, teacher_BK: Tensor) -> Tensor:
    """(1 - alpha) base + alpha times the distance to the teacher.

    "hard": cross-entropy with the teacher's answer as the label. "soft": tau^2 KL(teacher || student) of both
    softened by tau, divided by B K as in DeiT's losses.py, not by B.
    """
    alpha = ALPHA[recipe.distillation] if recipe.distillation_alpha is None else recipe.distillation_alpha
    logits_BK, teacher_BK, tau = logits_BK.float(), teacher_BK.float(), recipe.distillation_tau
    if recipe.distillation == "hard":
        far = functional.cross_entropy(logits_BK, teacher_BK.argmax(1))
    else:
        student, teacher = (functional.log_softmax(t / tau, 1) for t in (logits_BK, teacher_BK))
        far = functional.kl_div(student, teacher, reduction="sum", log_target=True) * tau**2 / logits_BK.numel()
    return (1 - alpha) * base + alpha * far


@dataclass(frozen=True, eq=False)
class Teacher:
    """A frozen network that reads the student's batches and answers in the student's classes.

    Calling it on normalised, augmented, mixed pictures of the student (B, C, H, W) gives logits (B, K) without gradients; the
    pictures are normalised anew and resized as the teacher's own are. It computes in the precision that is around it.
    """

    network: nn.Module
    own: Preprocess
    students: Preprocess
    columns: Tensor | None  # of each of the student's classes among its logits; None: as they are
    digest: str  # SHA-256 of all its weights
    told: str  # what it is, as a sentence

    @classmethod
    def open(
        cls,
        source: str,
        *,
        classes: Sequence[str],
        preprocess: Preprocess,
        device: torch.device,
        multi_label: bool = False,
    ) -> "Teacher":
        """The teacher that a recipe names, for a student that reads by `preprocess` and answers in `classes`.

        source: weights of ours, from any source of `find_weights`; `timm:NAME[.TAG]`, timm's pretrained network; or
        `timm:NAME@FILE`, timm's network with the weights of a file. Classes are matched by name where the teacher names its
        own, and else must be as many. RecipeError where they cannot be matched; WeightError where there is no such teacher.
        """
        if multi_label:
            raise RecipeError("--set teacher: a teacher gives each picture one class, and these have several labels")
        opened = _timm if source.startswith("timm:") else _ours
        network, theirs, own = opened(source, len(classes))
        network = network.eval().requires_grad_(False).to(device)
        columns, how = _matched(source, theirs, classes, logits=_width(network, own, device))
        size = "x".join(map(str, own.size))
        told = f"{source} at {size} pixels, {sum(p.numel() for p in network.parameters()):,} weights; {how}"
        index = None if columns is None else torch.tensor(columns, device=device)
        return cls(network, own, preprocess, index, _digest(network.state_dict()), told)

    @torch.no_grad()
    def __call__(self, x_BCHW: Tensor) -> Tensor:
        """Logits (B, K) in the order of the student's classes."""
        logits = self.network(_reread(x_BCHW, self.students, self.own))
        return logits if self.columns is None else logits[:, self.columns]


def _reread(x_BCHW: Tensor, students: Preprocess, own: Preprocess) -> Tensor:
    """The student's normalised batch as the teacher reads it: its channels, mean, deviation and size."""
    c = students.channels
    mean, std = (x_BCHW.new_tensor(v).view(1, c, 1, 1) for v in (students.mean, students.std))
    x_BCHW = x_BCHW * std + mean
    if own.channels != c:
        grey = x_BCHW.new_tensor((0.299, 0.587, 0.114)).view(1, 3, 1, 1)  # ITU-R 601, as in `in_channels`
        x_BCHW = x_BCHW.expand(-1, 3, -1, -1) if c == 1 else (x_BCHW * grey).sum(1, keepdim=True)
    if tuple(x_BCHW.shape[2:]) != own.size:
        mode = own.interpolation
        smooth: dict[str, Any] = {} if mode == "nearest" else {"antialias": True, "align_corners": False}
        x_BCHW = functional.interpolate(x_BCHW.float(), own.size, mode=mode, **smooth)
    mean, std = (x_BCHW.new_tensor(v).view(1, -1, 1, 1) for v in (own.mean, own.std))
    return (x_BCHW - mean) / std


def _ours(source: str, classes: int) -> tuple[nn.Module, tuple[str, ...], Preprocess]:
    network, theirs, written, _ = load_model(find_weights(source))
    return network, theirs, Preprocess.from_json(written)


def _timm(source: str, classes: int) -> tuple[nn.Module, tuple[str, ...], Preprocess]:
    """timm's network: pretrained as timm has it, or of so many classes with the weights of a file."""
    import timm

    name, _, file = source.removeprefix("timm:").partition("@")
    if not file:
        card = timm_card(name)
        try:
            network = timm.create_model(name, pretrained=True)
        except Exception as error:  # whatever the hub's client raises, the answer is the same
            raise WeightError(
                f"{source}: timm could not fetch it ({(str(error).splitlines() or [''])[0]}); fetch the file where there "
                f"is a network, and name it: {source}@FILE"
            ) from None
        return network, card.classes, Preprocess.from_json({**card.preprocess, "size": tuple(card.preprocess["size"])})
    if not timm.is_model(name.partition(".")[0]):
        raise WeightError(f"{source}: timm has no network {name!r}")
    network = timm.create_model(name, pretrained=False, num_classes=classes)
    try:
        network.load_state_dict(read(Path(file)).tensors)
    except RuntimeError as error:
        reason = "; ".join(line.strip() for line in str(error).splitlines()[1:4])
        raise WeightError(
            f"{source}: the file does not hold timm's {name} with {classes} classes ({reason}); one is made by timm's "
            f"train.py --model {name} --pretrained --num-classes {classes}"
        ) from None
    return network, (), _timm_preprocess(network)


def _timm_preprocess(network: nn.Module) -> Preprocess:
    from timm.data import resolve_model_data_config

    said = resolve_model_data_config(network)
    return Preprocess(
        size=tuple(said["input_size"][1:]),
        interpolation=said["interpolation"] if said["interpolation"] in ("bilinear", "nearest") else "bicubic",
        mean=tuple(said["mean"]),
        std=tuple(said["std"]),
    )


@torch.no_grad()
def _width(network: nn.Module, own: Preprocess, device: torch.device) -> int:
    """How many logits it gives."""
    return int(network(torch.zeros(1, own.channels, *own.size, device=device)).shape[1])


def _matched(source: str, theirs: Sequence[str], ours: Sequence[str], *, logits: int) -> tuple[list[int] | None, str]:
    """Columns of the teacher's logits for our classes, and a sentence on how they were found."""
    if len(theirs) == logits:
        if missing := [name for name in ours if name not in theirs]:
            raise RecipeError(
                f"teacher {source} does not know {len(missing)} of the {len(ours)} classes, the first {missing[0]!r}; "
                f"make one that does: glocal train DATA --recipe fine_tune --weights {source}"
            )
        found = [[*theirs].index(name) for name in ours]
        if found == [*range(logits)]:
            return None, "its classes are the same, in the same order"
        return found, f"its classes matched by name, {len(ours)} of its {logits}"
    if logits != len(ours):
        raise RecipeError(
            f"teacher {source} has {logits} classes and the pictures {len(ours)}; fine-tune it on them with timm's train.py, "
            f"and name the file: timm:NAME@FILE.safetensors; or teach with a network of ours: glocal train DATA"
        )
    return None, f"it names no classes, so the order of its {logits} is taken on trust"


def _digest(state: Mapping[str, Tensor]) -> str:
    found = hashlib.sha256()
    for key in sorted(state):
        found.update(key.encode())
        found.update(state[key].detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()
