"""Distillation: learning from the predictions of a trained network, the teacher, as in DeiT (arXiv:2012.12877).

DeiT's second head and its distillation token are not here: our networks have one head, which learns from the labels and
from the teacher.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from glocal.data import Preprocess
from glocal.errors import RecipeError, WeightError
from glocal.recipes.schema import Recipe
from glocal.weights import find_weights, load_model, load_timm_file
from glocal.weights.find import timm_card
from glocal.weights.networks.timm_architecture import weights_file

ALPHA = {"hard": 0.5, "soft": 0.1}  # DeiT: equal shares for hard distillation, and 0.1 for the soft one


def distilled_loss(recipe: Recipe, base: Tensor, logits_BK: Tensor, teacher_BK: Tensor) -> Tensor:
    """(1 - alpha) base + alpha times the distance to the teacher.

    "hard": cross-entropy with the class that the teacher predicts. "soft": tau^2 KL(teacher || student) with both logits
    divided by tau; the sum is divided by B K, as in DeiT's losses.py, not by B.
    """
    alpha = ALPHA[recipe.distillation] if recipe.distillation_alpha is None else recipe.distillation_alpha
    logits_BK, teacher_BK, tau = logits_BK.float(), teacher_BK.float(), recipe.distillation_tau
    if recipe.distillation == "hard":
        distance = functional.cross_entropy(logits_BK, teacher_BK.argmax(1))
    else:
        student, teacher = (functional.log_softmax(t / tau, 1) for t in (logits_BK, teacher_BK))
        distance = functional.kl_div(student, teacher, reduction="sum", log_target=True) * tau**2 / logits_BK.numel()
    return (1 - alpha) * base + alpha * distance


@dataclass(frozen=True, eq=False)
class Teacher:
    """A frozen network that predicts the student's classes for the student's batches.

    Calling it on normalised, augmented, mixed pictures of the student (B, C, H, W) gives logits (B, K) without gradients. The
    pictures are resized and normalised as the teacher's own. It computes in the precision of the surrounding autocast.
    """

    network: nn.Module
    preprocess: Preprocess
    of_student: Preprocess
    columns: Tensor | None  # of its logits, for each of the student's classes; None: all, in their order
    digest: str  # SHA-256 of all its weights
    description: str  # a sentence about it

    @classmethod
    def load(
        cls,
        source: str,
        *,
        classes: Sequence[str],
        preprocess: Preprocess,
        device: torch.device,
        multi_label: bool = False,
    ) -> "Teacher":
        """The teacher of a recipe, for a student with this preprocessing and these classes.

        source: weights of ours, from any source of `find_weights`; `timm:NAME[.TAG]`, timm's pretrained network; or
        `timm:NAME@FILE`, timm's network with the weights of a file. Classes are matched by name where the teacher names its
        own; otherwise both must have the same number. RecipeError where they cannot be matched; WeightError where there is
        no such teacher.
        """
        if multi_label:
            raise RecipeError("--set teacher: a teacher gives each picture one class, and these have several labels")
        load = _load_timm if source.startswith("timm:") else _load_ours
        network, of_teacher, own = load(source)
        network = network.eval().requires_grad_(False).to(device)
        columns, how = _matched(source, of_teacher, classes, logits=_number_of_logits(network, own, device))
        size = "x".join(map(str, own.size))
        description = f"{source} at {size} pixels, {sum(p.numel() for p in network.parameters()):,} parameters; {how}"
        index = None if columns is None else torch.tensor(columns, device=device)
        return cls(network, own, preprocess, index, _digest(network.state_dict()), description)

    @torch.no_grad()
    def __call__(self, x_BCHW: Tensor) -> Tensor:
        """Logits (B, K) in the order of the student's classes."""
        logits: Tensor = self.network(_as_own(x_BCHW, self.of_student, self.preprocess))
        return logits if self.columns is None else logits[:, self.columns]


def _as_own(x_BCHW: Tensor, of_student: Preprocess, own: Preprocess) -> Tensor:
    """The student's normalised batch with the channels, mean, deviation and size of the teacher."""
    c = of_student.channels
    mean, std = (x_BCHW.new_tensor(v).view(1, c, 1, 1) for v in (of_student.mean, of_student.std))
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


def _load_ours(source: str) -> tuple[nn.Module, tuple[str, ...], Preprocess]:
    model = load_model(find_weights(source))
    return model.network, model.classes, Preprocess.from_json(model.preprocess)


def _load_timm(source: str) -> tuple[nn.Module, tuple[str, ...], Preprocess]:
    """timm's network: pretrained by timm, or with the weights of a file."""
    if weights_file(source):
        model = load_timm_file(source)
        return model.network, model.classes, Preprocess.from_json(model.preprocess)
    import timm

    name = source.removeprefix("timm:")
    card = timm_card(name)
    try:
        network = timm.create_model(name, pretrained=True)
    except Exception as error:  # whatever the hub's client raises, the remedy is the same
        raise WeightError(
            f"{source}: timm could not fetch it ({(str(error).splitlines() or [''])[0]}); fetch the file where there "
            f"is a network, and name it: {source}@FILE"
        ) from None
    return network, card.classes, Preprocess.from_json({**card.preprocess, "size": tuple(card.preprocess["size"])})


@torch.no_grad()
def _number_of_logits(network: nn.Module, own: Preprocess, device: torch.device) -> int:
    """How many logits a network gives for a picture."""
    return int(network(torch.zeros(1, own.channels, *own.size, device=device)).shape[1])


def _matched(
    source: str, of_teacher: Sequence[str], classes: Sequence[str], *, logits: int
) -> tuple[list[int] | None, str]:
    """The columns of the teacher's logits for the student's classes, and a sentence on how they were found."""
    if len(of_teacher) == logits:
        if missing := [name for name in classes if name not in of_teacher]:
            raise RecipeError(
                f"teacher {source} does not know {len(missing)} of the {len(classes)} classes, the first {missing[0]!r}; "
                f"make one that does: glocal train DATA --recipe fine_tune --weights {source}"
            )
        found = [[*of_teacher].index(name) for name in classes]
        if found == [*range(logits)]:
            return None, "its classes are the same, in the same order"
        return found, f"its classes matched by name, {len(classes)} of its {logits}"
    if logits != len(classes):
        raise RecipeError(
            f"teacher {source} has {logits} classes and the pictures {len(classes)}; fine-tune it on them with timm's train.py, "
            f"and name the file: timm:NAME@FILE.safetensors; or teach with a network of ours: glocal train DATA"
        )
    return None, f"it names no classes, so the order of its {logits} is taken on trust"


def _digest(state: Mapping[str, Tensor]) -> str:
    """SHA-256 of all tensors of a network, with their names."""
    found = hashlib.sha256()
    for key in sorted(state):
        found.update(key.encode())
        found.update(state[key].detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()
