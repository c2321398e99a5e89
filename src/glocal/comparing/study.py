"""A study as data: named arms, what differs between them, and what is asked of them.

The papers' studies are in `comparing.tables`; how one is run is in `comparing.run_study`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from glocal.comparing.statistics.compare import MARGIN
from glocal.comparing.statistics.looks import Looks
from glocal.comparing.statistics.several import Pair, checked_pairs, with_neighbours
from glocal.design import Architecture
from glocal.errors import ComparisonError

Scale = Literal["paper", "cifar", "tiny"]
SMALLER: tuple[Scale, ...] = ("cifar", "tiny")
Comparisons = Literal["baseline", "chain"]


@dataclass(frozen=True)
class Evaluation:
    """How the held-out pictures are shown to a trained network, where that is not as in training."""

    img_size: int | None = None  # pixels of a side; None: the network's own
    corruption: str | None = None  # a name of `comparing.corruptions`
    severity: int = 3  # 1 to 5, as in ImageNet-C (Hendrycks and Dietterich 2019)


@dataclass(frozen=True)
class Pretraining:
    """A first stage: the arm's network is trained on other pictures, and its weights start the training that is compared."""

    settings: Mapping[str, Any] = field(default_factory=dict)  # of the recipe, in the first stage


@dataclass(frozen=True)
class Arm:
    """One thing that is compared: an architecture and edits of the study's recipe.

    model: an architecture; a name of `glocal models`; an architecture.yaml; or `timm:NAME`, with `@FILE` for its weights.
    at: the network at other scales than the paper's, where the rule of `comparing.scaling` would not keep what is compared.
    settings: fields of `Recipe`, over those of the study. printed: the number that the paper prints for it, in percent.
    baseline: the arm that it is compared with, where that is not the study's; an arm that names itself is compared with none.
    per_class: training pictures of each class; None for all. share: share of the training pictures, of each class alike.
    length: of the training, as a multiple of the study's epochs.
    """

    name: str
    model: str | Architecture
    settings: Mapping[str, Any] = field(default_factory=dict)
    at: Mapping[Scale, str | Architecture] = field(default_factory=dict)
    printed: float | None = None
    baseline: str = ""
    per_class: int | None = None
    share: float = 1.0
    length: float = 1.0
    evaluation: Evaluation = field(default_factory=Evaluation)
    pretraining: Pretraining | None = None
    note: str = ""


@dataclass(frozen=True)
class Study:
    """Arms, and what is asked of them.

    comparisons: "baseline" compares every arm with the arm `baseline`, or with its own baseline; "chain" compares neighbours,
    as a roadmap does.
    recipe: the name of the recipe that all arms share; `settings` are over it. margin: the difference in accuracy that does
    not matter, as a fraction. keeps, changes: what the scaled protocol has in common with the paper's, and what it has not.
    """

    name: str  # "convnext.table10"
    question: str  # in one line
    arms: tuple[Arm, ...]
    baseline: str
    hypothesis: str = ""
    source: str = ""  # "ConvNeXt (Liu et al. 2022), Table 10"
    comparisons: Comparisons = "baseline"
    recipe: str = "study"
    settings: Mapping[str, Any] = field(default_factory=dict)
    margin: float = MARGIN
    looks: Looks = field(default_factory=Looks)
    keeps: str = ""
    changes: str = ""

    def __post_init__(self) -> None:
        names = [arm.name for arm in self.arms]
        if len(names) < 2:
            raise ComparisonError(f"{self.name}: {len(names)} arm; a study compares two or more")
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ComparisonError(
                f"{self.name}: several arms are called {', '.join(twice)}; give each a name of its own"
            )
        if self.baseline not in names:
            raise ComparisonError(f"{self.name}: the baseline {self.baseline!r} is no arm; arms: {', '.join(names)}")
        for arm in self.arms:
            if arm.baseline and arm.baseline not in names:
                raise ComparisonError(
                    f"{self.name}, arm {arm.name}: its baseline {arm.baseline!r} is no arm; arms: {', '.join(names)}"
                )

    def arm(self, name: str) -> Arm:
        """An arm by its name; ComparisonError lists the arms."""
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise ComparisonError(f"{self.name} has no arm {name!r}; arms: {', '.join(arm.name for arm in self.arms)}")

    def with_arms(self, names: Sequence[str]) -> "Study":
        """The study with some of its arms, in its order; the first is the baseline where that is left out."""
        wanted = [self.arm(name).name for name in names]
        arms = tuple(arm for arm in self.arms if arm.name in wanted)
        return replace(self, arms=arms, baseline=self.baseline if self.baseline in wanted else arms[0].name)

    def names_in(self, text: str) -> list[str]:
        """The names of arms in a text, apart by commas, which a name may have too: the longest name counts."""
        parts, known, names = text.split(","), {arm.name for arm in self.arms}, []
        while parts:
            joined = (",".join(parts[:n]).strip() for n in range(len(parts), 0, -1))
            name = next((each for each in joined if each in known), parts[0].strip())
            names.append(name)
            parts = parts[name.count(",") + 1 :]
        return names

    def pairs(self) -> tuple[Pair, ...]:
        """The comparisons that are made."""
        names = [arm.name for arm in self.arms]
        if self.comparisons == "chain":
            return with_neighbours(names)
        pairs = [Pair(arm.name, arm.baseline or self.baseline) for arm in self.arms]
        return checked_pairs([pair for pair in pairs if pair.arm != pair.baseline], names)

    def but(self, **changes: Any) -> "Study":
        """The study with other values."""
        return replace(self, **changes)
