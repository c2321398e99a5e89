"""What a search is told: one frozen, typed value. How training goes, supernet and finalists alike, is told by a `Recipe`."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from glocal.design import Architecture, adapt
from glocal.errors import RecipeError
from glocal.families.spaces import hierarchy
from glocal.families.spaces import space as named_space
from glocal.searching.evolution import Evolution, Method, RandomSearch
from glocal.searching.limits import Limits
from glocal.searching.supernet import Sharing
from glocal.training.recipe import Recipe

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Levels = Literal["one", "joint", "two"]


class Search(BaseModel):
    """Everything that decides what is found, but for the pictures, the recipe and the machine's arithmetic.

    Numbers of the evolution are SPOS' (its released script): 20 generations of 50 candidates, the best 10 breed. Where fewer
    candidates are asked for, a generation has a tenth of them, and a fifth of a generation breeds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    space: str = "glit_cifar"
    levels: Levels | None = None  # None: two where the space is a hierarchy's, else one
    method: Literal["evolution", "random"] = "evolution"
    sharing: Sharing = "independent"
    bins: Annotated[int, Field(ge=0)] = (
        0  # of multiply-adds, in which paths are drawn alike; 0: uniform over the sheets
    )
    seed: Annotated[int, Field(ge=0)] = 0

    budget_s: Positive | None = None  # for everything; what is None below is then made to fit
    supernet_epochs: Count | None = None  # None without a budget: the recipe's
    candidates: Count | None = None  # None without a budget: 1,000, as in GLiT
    finalists: Count = 5
    finalist_epochs: Count | None = None  # None without a budget: the recipe's

    population: Count | None = None
    topk: Count | None = None
    p_mutation: Annotated[float, Field(gt=0, le=1)] = 0.1
    strict_spos: bool = False
    front: Literal["macs", "params", "latency_ms", "memory_bytes"] | None = None  # against accuracy; None: that alone

    held_out: Positive | None = None  # training pictures that judge, a share or a number; None: a fifth, at most 5,000
    calibration: Count = 2000  # training pictures for the batch-norm statistics of a candidate (SPOS takes 25,600)

    min_macs: Positive | None = None
    max_macs: Positive | None = None
    min_params: Positive | None = None
    max_params: Positive | None = None
    min_latency_ms: Positive | None = None
    max_latency_ms: Positive | None = None
    min_memory_bytes: Positive | None = None
    max_memory_bytes: Positive | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Search":
        """Checked settings; RecipeError names what is wrong."""
        try:
            search = cls.model_validate(dict(given))
        except ValidationError as error:
            told = "; ".join(
                f"{'.'.join(map(str, e['loc']))} {e['input']!r}: {e['msg'].lower()}" for e in error.errors()
            )
            raise RecipeError(f"settings of the search: {told}") from None
        _ = search.names(), search.limits  # which raise where they do not fit
        return search

    @property
    def limits(self) -> Limits:
        """What a candidate may cost."""
        return Limits(**{name: getattr(self, name) for name in Limits.__dataclass_fields__})

    def evolution(self, candidates: int) -> Method:
        """The method, for so many candidates."""
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

    def wanted(self, epochs: int) -> dict[str, int | None]:
        """How much of each phase; None: as much as the budget lets. Without one, `epochs`, and 1,000 candidates as in GLiT."""
        given = {"supernet": self.supernet_epochs, "candidates": self.candidates, "finalists": self.finalist_epochs}
        usual = dict.fromkeys(given) if self.budget_s else {"supernet": epochs, "candidates": 1000, "finalists": epochs}
        return {phase: usual[phase] if n is None else n for phase, n in given.items()}

    def names(self) -> tuple[str, ...]:
        """The levels in their order."""
        nested = hierarchy(self.space)
        levels = self.levels or ("two" if nested else "one")
        if levels != "one" and not nested:
            raise RecipeError(
                f"--levels {levels}: {self.space} has no levels; those of glit_tiny, glit_cifar and glit_cifar_WIDTH_DEPTH do. "
                "Take --levels one"
            )
        if levels == "one":
            named_space(self.space)
        return {"one": ("one",), "joint": ("joint",), "two": ("distribution", "details")}[levels]

    def space_of(self, level: str, winner: Architecture | None, *, classes: int, recipe: Recipe) -> Architecture:
        """The space of a level, for as many classes, at the recipe's size; `winner` is that of the level before."""
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
