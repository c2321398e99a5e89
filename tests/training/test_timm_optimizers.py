"""Every optimiser of timm trains a network and goes on from a saved state to the same bits; the others say why they do not."""

import pytest
import torch
from timm.optim import get_optimizer_info, list_optimizers
from torch.nn import functional

from glocal.errors import RecipeError
from glocal.families import architecture
from glocal.machine.processes import Machine
from glocal.net import Network
from glocal.recipes.optimizers import OPTIMIZERS
from glocal.recipes.schema import Recipe
from glocal.training.optimizer import check_optimizer, set_rates
from glocal.training.state import State

MACHINE = Machine(torch.device("cpu"))
ELSEWHERE = ("apex.", "bitsandbytes.")
REFUSED = {
    name
    for name in list_optimizers()
    if get_optimizer_info(name).second_order or str(get_optimizer_info(name).opt_class).startswith(ELSEWHERE)
}
BUILT = [*OPTIMIZERS, *(f"timm:{name}" for name in list_optimizers() if name not in REFUSED), "timm:lookahead_radam"]


@pytest.fixture(autouse=True)
def not_compiled(monkeypatch):
    """Kron compiles its functions, for which a machine needs a C++ compiler and half a minute."""
    monkeypatch.setattr("timm.optim.kron.has_dynamo", False)


def fresh(recipe: Recipe) -> State:
    torch.manual_seed(0)
    return State.start(Network(architecture("convmixer_8_1_p4_k3_32")), recipe, MACHINE)


def train(state: State, recipe: Recipe, *, to: int) -> None:
    """Takes the steps up to `to`, whose pictures depend on the step alone. The stem does not learn."""
    state.network.stem.requires_grad_(False)
    while state.step < to:
        torch.manual_seed(state.step)
        x, y = torch.randn(4, 3, 8, 8), torch.arange(4)
        set_rates(state.optimizer, recipe, state.step, steps_per_epoch=4)
        functional.cross_entropy(state.network(x), y).backward()
        state.optimizer.step()
        state.optimizer.zero_grad()
        state.step += 1


@pytest.mark.filterwarnings("ignore:It is highly recommended to have 'opt_einsum'")
@pytest.mark.parametrize("opt", BUILT)
def test_each_optimiser_trains_and_goes_on_from_its_state_to_the_same_bits(opt, tmp_path):
    recipe = Recipe(opt=opt, lr=0.01, layer_decay=0.5, weight_decay=0.1, epochs=2)
    check_optimizer(recipe)
    whole, again = fresh(recipe), fresh(recipe)
    start = [p.clone() for p in whole.network.parameters()]
    train(whole, recipe, to=2)
    whole.save(tmp_path / "last.json", MACHINE)
    again.load(tmp_path / "last.json")
    for state in (whole, again):
        train(state, recipe, to=6)  # timm's Lookahead acts on every sixth step
    for (name, a), b, before in zip(whole.network.named_parameters(), again.network.parameters(), start, strict=True):
        assert torch.equal(a, b), name
        assert torch.isfinite(a).all(), name
        assert torch.equal(a, before) == name.startswith("stem."), "what learns moves, and nothing else"


def test_rates_and_decay_of_the_groups_are_those_of_the_recipe_whatever_the_optimiser():
    recipe = Recipe(opt="timm:lion", lr=0.01, layer_decay=0.5, weight_decay=0.1, epochs=2, sched="linear")
    state = fresh(recipe)
    train(state, recipe, to=2)
    rates = {g["lr_scale"]: g["lr"] for g in state.optimizer.param_groups}
    assert all(rate == pytest.approx(rates[1.0] * scale) for scale, rate in rates.items())
    assert {g["weight_decay"] for g in state.optimizer.param_groups} == {0.0, 0.1}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_cannot_be_built_says_why(name):
    with pytest.raises(RecipeError, match=f"--opt timm:{name} cannot be built: it (needs second derivatives|is )"):
        check_optimizer(Recipe(opt=f"timm:{name}"))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"opt": "admw"}, "did you mean 'adamw'"),
        ({"opt": "lion"}, "did you mean 'timm:lion'"),
        ({"opt": "timm:lyon"}, "timm has no optimiser 'lyon'; did you mean 'timm:lion'"),
        ({"opt": "timm:lion", "opt_args": {"cauton": True}}, "no argument 'cauton'; did you mean 'caution'"),
        ({"opt": "timm:lion", "opt_args": {"betas": (0.9, 5)}}, "Invalid beta parameter"),
        ({"opt": "timm:lion", "opt_args": {"lr": 5}}, "lr is a setting of its own"),
        ({"opt": "timm:lion", "opt_args": "caution"}, "give names and values"),
        ({"opt": "timm:lion", "opt_args": {"betas": [[0.9]]}}, "opt_args="),
        ({"opt": "timm:lion", "betas": (0.9, 0.99)}, "an optimiser of timm takes it in --set opt_args"),
    ],
)
def test_a_wrong_name_or_argument_is_answered_with_what_would_be_right(changes, says):
    with pytest.raises(RecipeError, match=says):
        check_optimizer(Recipe().but(changes))


def test_arguments_are_read_from_text_and_survive_the_file_of_a_run():
    recipe = Recipe().but({"opt": "timm:lion", "opt_args": "{caution: true, betas: [0.95, 0.98]}"})
    assert recipe.opt_args == {"caution": True, "betas": (0.95, 0.98)}
    assert Recipe().merged(recipe.model_dump(mode="json")) == recipe
    group = fresh(recipe).optimizer.param_groups[0]
    assert (group["caution"], group["betas"]) == (True, (0.95, 0.98))


def test_divided_parameters_are_refused_where_the_optimiser_reads_whole_ones():
    with pytest.raises(RecipeError, match="take --parallel ddp"):
        check_optimizer(Recipe(opt="timm:lion"), sharded=True)
