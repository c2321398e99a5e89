"""The maps that explain a prediction, each method with when it fits, what it costs, and how it is read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from glocal import design
from glocal.errors import RecipeError
from glocal.explaining.attention.pooling import pooled_positions, pooling_input, pooling_op, pooling_weights
from glocal.explaining.attention.rollout import rollout, why_no_rollout
from glocal.explaining.subject import Place, Subject, readable_place, tapped
from glocal.extras import require

_GRID = 8  # patches that occlusion covers along a side, each twice as large as the step
_AT_ONCE = 16  # occluded pictures that pass through the network together


@dataclass(frozen=True)
class Method:
    """A kind of map.

    compute: (subject, place, pictures BCHW, classes B) -> (B, h, w); `place` is what `readable_place` found.
    missing: why a network has no such map; an empty string where it has one.
    passes: forward passes that one picture takes about, a backward pass counted as two.
    by_class: whether the map is of one class, and not of the picture alone.
    """

    title: str
    meaning: str
    compute: Callable[[Subject, Place, Tensor, Tensor], Tensor]
    missing: Callable[[Subject], str]
    passes: int
    by_class: bool


def _gradcam(subject: Subject, place: Place, x_BCHW: Tensor, classes_B: Tensor) -> Tensor:
    captum = import_captum()
    with tapped(subject, place) as tap:
        signed_B1HW: Tensor = captum.LayerGradCam(subject.network, tap).attribute(x_BCHW, target=classes_B).detach()
    signed_BHW = signed_B1HW[:, 0]
    # Where nothing speaks for the class, the map would be zero: what speaks least against it is shown instead.
    lowest_B11 = signed_BHW.amin((1, 2), keepdim=True)
    against_B11 = signed_BHW.amax((1, 2), keepdim=True) <= 0
    return torch.where(against_B11, signed_BHW - lowest_B11, signed_BHW.clamp(min=0))


def _occlusion(subject: Subject, place: Place, x_BCHW: Tensor, classes_B: Tensor) -> Tensor:
    captum = import_captum()
    steps = tuple(max(1, side // _GRID) for side in subject.size)
    windows = tuple(min(2 * step, side) for step, side in zip(steps, subject.size, strict=True))
    with torch.no_grad():
        found: Tensor = captum.Occlusion(subject.probabilities).attribute(
            x_BCHW,
            sliding_window_shapes=(subject.channels, *windows),
            strides=(subject.channels, *steps),
            baselines=0,
            target=classes_B,
            perturbations_per_eval=_AT_ONCE,
        )
    return found[:, 0]


def _attention(subject: Subject, place: Place, x_BCHW: Tensor, classes_B: Tensor) -> Tensor:
    return rollout(subject, x_BCHW)


def _seqpool(subject: Subject, place: Place, x_BCHW: Tensor, classes_B: Tensor) -> Tensor:
    assert subject.arch is not None
    with torch.no_grad(), pooling_input(subject) as inputs:
        subject.network(x_BCHW)
    positions = pooled_positions(subject.arch)
    weights_BN = pooling_weights(subject, inputs[-1], positions)
    map_BHW: Tensor = weights_BN[:, positions.extra :].unflatten(1, (positions.h, positions.w))
    return map_BHW


def _features(subject: Subject, place: Place, x_BCHW: Tensor, classes_B: Tensor) -> Tensor:
    found: list[Tensor] = []
    with torch.no_grad(), tapped(subject, subject.last_block) as tap:
        tap.register_forward_hook(lambda _, given, __: found.append(given[0]))
        subject.network(x_BCHW)
    norms_BHW: Tensor = found[-1].norm(dim=1)
    return norms_BHW


def _always(subject: Subject) -> str:
    return ""


def _pools_by_weights(subject: Subject) -> str:
    if subject.arch is not None and isinstance(pooling_op(subject.arch), design.SequencePool):
        return ""
    return "it does not pool by learned weights (SeqPool)"


METHODS: Mapping[str, Method] = {
    "gradcam": Method(
        "Grad-CAM",
        "where the last map of the network raises the score of the class (Selvaraju et al. 2017)",
        _gradcam,
        _always,
        3,
        by_class=True,
    ),
    "attention": Method(
        "attention rollout",
        "from where what is pooled was gathered, whatever the class (Abnar and Zuidema 2020)",
        _attention,
        why_no_rollout,
        2,
        by_class=False,
    ),
    "seqpool": Method(
        "SeqPool's weights",
        "how much each position counts in the pooled vector, whatever the class (Hassani et al. 2021)",
        _seqpool,
        _pools_by_weights,
        1,
        by_class=False,
    ),
    "occlusion": Method(
        "occlusion",
        "by how much the probability of the class falls when a patch is covered (Zeiler and Fergus 2014)",
        _occlusion,
        _always,
        _GRID**2,
        by_class=True,
    ),
    "features": Method(
        "feature map",
        "the norm of the last map at each position, whatever the class (as GLiT's Figure 6)",
        _features,
        _always,
        1,
        by_class=False,
    ),
}


def choose_methods(subject: Subject, place: Place, method: str) -> list[str]:
    """The methods to compute; RecipeError for one that the network has no map for.

    auto: Grad-CAM where the readable place has 4 x 4 positions or more, else occlusion, which needs no positions.
    all: every method that the network has a map for.
    """
    if method == "auto":
        return ["gradcam" if place.n >= 16 else "occlusion"]
    if method not in ("all", *METHODS):
        raise RecipeError(f"--method {method!r} is unknown; give auto, all, {', '.join(METHODS)}")
    missing = {name: each.missing(subject) for name, each in METHODS.items()}
    fitting = [name for name, reason in missing.items() if not reason]
    if method != "all" and method not in fitting:
        raise RecipeError(
            f"--method {method} does not fit {subject.name}: {missing[method]}; possible are {', '.join(fitting)}"
        )
    return fitting if method == "all" else [method]


class Explainer:
    """A network with its readable place, which is found once."""

    def __init__(self, subject: Subject) -> None:
        self.subject, self.place = subject, readable_place(subject)

    def maps(self, method: str, x_BCHW: Tensor, classes_B: Tensor) -> Tensor:
        """The maps of normalised pictures, (B, h, w), for one class each."""
        return METHODS[method].compute(self.subject, self.place, x_BCHW, classes_B).float()


def import_captum() -> Any:
    """captum.attr; MissingPackage with the command that installs it."""
    require("a heat map by Grad-CAM or occlusion", "explain", "captum")
    from captum import attr

    return attr
