"""The settings of a search: one frozen, typed value. How networks are trained is in a `Recipe`."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from glocal.design import Architecture, adapt
from glocal.design.limits import Limits
from glocal.errors import RecipeError
from glocal.families.spaces import hierarchy
from glocal.families.spaces import space as named_space
from glocal.quantities import Amount, Bytes, Milliseconds, Seconds
from glocal.recipes.schema import Recipe
from glocal.searching.candidates.methods import Evolution, Method, RandomSearch
from glocal.searching.ranking.proxies import ProxyName
from glocal.searching.supernet.paths import FairPaths, PathSchedule, SandwichPaths, UniformPaths
from glocal.searching.supernet.supernet import Sharing
from glocal.settings import STRICT, Flag, Help, merge
from glocal.trials.plan import Phase

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_EFFORT, _LIMITS = "How much", "Limits (least and most)"
Levels = Literal["one", "joint", "two"]
StrategyName = Literal["supernet", "fair", "sandwich", "halving", "asha", "proxy", "guided", "random"]

SHARES = {"supernet": 9, "candidates": 3, "finalists": 8}
"""Of a level's time. This is our choice: one supernet ranks all candidates, and five finalists are trained from scratch."""

OF_SUPERNETS = (
    "supernet_epochs", "front", "bins", "population", "topk", "strict_spos", "method", "sharing", "p_mutation", "calibration"
)  # fmt: skip
"""The settings that have no effect without a supernet."""

BY_PROXY = ("proxy", "guided")
"""The strategies that a proxy guides; without one, the setting `proxy` has no effect."""

UNITS = {"supernet": "epochs", "candidates": "candidates", "finalists": "epochs each"}


class SearchSettings(BaseModel):
    """Everything that decides what a search finds, except the pictures, the recipe and the machine's arithmetic.

    The numbers of the evolution are SPOS' (its released script): 20 generations of 50 candidates, of which the best 10 breed.
    With fewer than 500 candidates, a generation has a tenth of them, and a fifth of a generation breeds.
    """

    model_config = STRICT

    space: Annotated[
        str, Flag("A name (`glocal show SPACE`), or an architecture.yaml with questions.", "The space")
    ] = "glit_cifar"
    levels: Annotated[
        Levels | None,
        Flag("GLiT's two levels (two), both at once (joint), or the space as it is (one).", "The space"),
    ] = None
    sharing: Annotated[
        Sharing, Flag("Independent weights for each option, or slices of common tensors (entangled).", "The space")
    ] = "independent"
    strategy: Annotated[
        StrategyName,
        Flag(
            "How networks are compared before the last ones are trained in full (docs/search.md). What asha decides depends on "
            "which worker is quick, where there are several; a resumed search keeps what was decided.",
            _EFFORT,
        ),
    ] = "guided"
    proxy: Annotated[ProxyName, Help("What orders the networks for --strategy proxy and guided.")] = "naswot"
    method: Annotated[Literal["evolution", "random"], Flag("How candidates are proposed.", _EFFORT)] = "evolution"
    bins: Annotated[
        int,
        Field(ge=0),
        Help(
            "Bins of multiply-adds that are sampled equally often in supernet training; 0 samples networks uniformly."
        ),
    ] = 0
    seed: Annotated[int, Field(ge=0), Flag("Seed of paths, candidates, weights and all random numbers.", "The run")] = 0

    budget_s: Annotated[
        Seconds | None,
        Flag("Time for everything: 2h, 90m, 1h30m; numbers that are not given are chosen to fit.", _EFFORT, "--budget"),
    ] = None
    supernet_epochs: Annotated[
        Count | None, Flag("Epochs of a supernet; those of the recipe without a budget.", _EFFORT)
    ] = None
    candidates: Annotated[Count | None, Flag("Candidates in each level; 1,000 without a budget.", _EFFORT)] = None
    finalists: Annotated[Count, Flag("The best candidates, which are trained from scratch.", _EFFORT)] = 5
    finalist_epochs: Annotated[
        Count | None, Flag("Epochs of a finalist; those of the recipe without a budget.", _EFFORT)
    ] = None

    population: Annotated[Count | None, Help("Candidates in each generation.")] = None
    topk: Annotated[Count | None, Help("Candidates that breed in each generation.")] = None
    p_mutation: Annotated[float, Field(gt=0, le=1), Help("Probability with which a mutation redraws an answer.")] = 0.1
    strict_spos: Annotated[bool, Help("Evaluate one more generation, which never competes, as SPOS' script does.")] = (
        False
    )
    front: Annotated[
        Literal["macs", "params", "latency_ms", "memory_bytes"] | None,
        Flag("Search for the Pareto front of accuracy and this cost.", _EFFORT),
    ] = None

    held_out: Annotated[
        Positive | None,
        Flag(
            "Training pictures, as a share or a number, that evaluate candidates, if the source has its own val.",
            "The run",
        ),
    ] = None
    calibration: Annotated[
        Count, Help("Training pictures for the batch-norm statistics of a candidate (SPOS takes 25,600).")
    ] = 2000

    min_macs: Annotated[Amount | None, Flag("Least multiply-adds.", _LIMITS)] = None
    max_macs: Annotated[Amount | None, Flag("Most multiply-adds: 0.3G, 1300M.", _LIMITS)] = None
    min_params: Annotated[Amount | None, Flag("Least parameters.", _LIMITS)] = None
    max_params: Annotated[Amount | None, Flag("Most parameters: 5M.", _LIMITS)] = None
    min_latency_ms: Annotated[Milliseconds | None, Flag("Least latency.", _LIMITS, "--min-latency")] = None
    max_latency_ms: Annotated[
        Milliseconds | None,
        Flag("Most latency of one picture, measured on this device: 5ms.", _LIMITS, "--max-latency"),
    ] = None
    min_memory_bytes: Annotated[Bytes | None, Flag("Least memory.", _LIMITS, "--min-memory")] = None
    max_memory_bytes: Annotated[
        Bytes | None, Flag("Most memory of weights and activations of one picture: 40MB.", _LIMITS, "--max-memory")
    ] = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "SearchSettings":
        """Checked settings; RecipeError names what is wrong."""
        settings = merge(cls(), values)
        _ = settings.level_names(), settings.limits  # which raise where they do not fit
        for name in settings.without_effect:
            if (value := getattr(settings, name)) != cls.model_fields[name].default:
                others = BY_PROXY if name == "proxy" else ("supernet",)
                raise RecipeError(
                    f"{name} {value} has no effect with --strategy {settings.strategy}; leave it out, or give --strategy "
                    + " or ".join(others)
                )
        return settings

    def to_json(self) -> dict[str, Any]:
        """Plain data: the settings that have an effect under this strategy."""
        return self.model_dump(mode="json", exclude={*self.without_effect})

    @property
    def without_effect(self) -> tuple[str, ...]:
        """The settings that this strategy does not read."""
        of_supernets = () if self.has_supernet else OF_SUPERNETS
        return of_supernets if self.strategy in BY_PROXY else (*of_supernets, "proxy")

    @property
    def limits(self) -> Limits:
        """What a candidate may cost."""
        return Limits(**{name: getattr(self, name) for name in Limits.__dataclass_fields__})

    def search_method(self, candidates: int) -> Method:
        """The method, for a number of candidates."""
        population = self.population or (
            50 if candidates >= 500 else max(2, min(candidates, max(10, candidates // 10)))
        )
        if self.method == "random":
            return RandomSearch(candidates, population)
        return Evolution(
            generations=max(1, candidates // population),
            population=population,
            topk=self.topk or max(2, population // 5),
            mutations=population // 2,
            crossovers=population // 2,
            p_mutation=self.p_mutation,
            strict_spos=self.strict_spos,
            front=self.front,
        )

    def path_schedule(self, space: Architecture) -> PathSchedule:
        """Which paths of a supernet each of its training steps trains."""
        if self.strategy == "fair":
            return FairPaths(space, self.seed)
        if self.strategy == "sandwich":
            return SandwichPaths(space, self.seed)
        return UniformPaths(space, self.seed, self.bins, self.limits)

    def phases(self, epochs: int) -> tuple[Phase, ...]:
        """The phases of all levels in their order, such as "details/supernet"."""
        wanted = self.wanted(epochs)
        if not self.has_supernet:
            full = self.finalist_epochs or epochs
            total = None if self.budget_s else math.ceil(self.full_trainings * full)
            least = 2 * (self.finalist_epochs or 1)  # two networks: with fewer, nothing is compared
            return tuple(Phase(f"{level}/race", "epochs", 1, total, least) for level in self.level_names())
        return tuple(
            Phase(f"{level}/{kind}", UNITS[kind], SHARES[kind], wanted[kind])
            for level in self.level_names()
            for kind in SHARES
        )

    @property
    def has_supernet(self) -> bool:
        """Whether networks are compared by the weights of a supernet."""
        return self.strategy in ("supernet", "fair", "sandwich")

    @property
    def full_trainings(self) -> float:
        """How many full trainings a strategy without a supernet may spend: the time of one with a supernet, whose finalists have
        a part of it."""
        return self.finalists * sum(SHARES.values()) / SHARES["finalists"]

    def horizon(self, total: int, epochs: int) -> int:
        """Epochs of a full training, where `total` epochs may be spent in all and the recipe has `epochs`."""
        fitting = max(1, int(total / self.full_trainings))
        return self.finalist_epochs or (min(epochs, fitting) if self.budget_s else epochs)

    def wanted(self, epochs: int) -> dict[str, int | None]:
        """The units of each kind of phase. What is not set is None with a budget, which means as many as fit; without one it is
        `epochs`, and 1,000 candidates as in GLiT."""
        units = {"supernet": self.supernet_epochs, "candidates": self.candidates, "finalists": self.finalist_epochs}
        default = (
            dict.fromkeys(units) if self.budget_s else {"supernet": epochs, "candidates": 1000, "finalists": epochs}
        )
        return {phase: default[phase] if n is None else n for phase, n in units.items()}

    def level_names(self) -> tuple[str, ...]:
        """The levels in their order."""
        nested = hierarchy(self.space)
        levels = self.levels or ("two" if nested else "one")
        if levels != "one" and not nested:
            raise RecipeError(
                f"--levels {levels}: {self.space} has no levels; glit_tiny, glit_cifar and glit_cifar_WIDTH_DEPTH have. Use "
                "--levels one"
            )
        if levels == "one":
            named_space(self.space)
        return {"one": ("one",), "joint": ("joint",), "two": ("distribution", "details")}[levels]

    def space_of(self, level: str, winner: Architecture | None, *, classes: int, recipe: Recipe) -> Architecture:
        """The space of a level for a number of classes and the recipe's picture size; `winner` won the level before."""
        nested = hierarchy(self.space)
        if level == "details":
            assert nested is not None
            assert winner is not None
            return nested.refine(winner)
        if level == "one":
            space = named_space(self.space)
        else:
            assert nested is not None
            space = nested.joint if level == "joint" else nested.first
        return adapt(
            space, classes=classes, channels=len(recipe.mean), size=recipe.img_size, drop_path=recipe.drop_path
        )
