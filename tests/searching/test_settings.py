"""What a search is told is checked before a picture is read, and its numbers are SPOS' where nothing else is said."""

import pytest

from glocal.errors import ArchitectureError, RecipeError
from glocal.recipes.schema import Recipe
from glocal.searching.candidates.methods import Evolution, RandomSearch
from glocal.searching.settings import SearchSettings


def test_a_thousand_candidates_are_evolved_with_the_numbers_of_spos():
    assert SearchSettings.of({}).search_method(1000) == Evolution(20, 50, 10, 25, 25, 0.1, 10)


def test_fewer_candidates_keep_the_proportions():
    method = SearchSettings.of({}).search_method(200)
    assert (method.generations, method.population, method.topk, method.mutations) == (10, 20, 4, 10)
    assert SearchSettings.of({"method": "random", "strategy": "supernet"}).search_method(120) == RandomSearch(120, 12)
    assert sum(SearchSettings.of({}).search_method(3).batches) <= 3


def test_without_a_budget_what_is_not_given_is_usual_and_with_one_what_fits():
    assert SearchSettings.of({"candidates": 7}).wanted(15) == {"supernet": 15, "candidates": 7, "finalists": 15}
    fitting = {"supernet": None, "candidates": 7, "finalists": None}
    assert SearchSettings.of({"candidates": 7, "budget_s": 60}).wanted(15) == fitting


def test_levels_follow_from_the_space():
    assert SearchSettings.of({"space": "glit_tiny"}).level_names() == ("distribution", "details")
    assert SearchSettings.of({"space": "glit_tiny", "levels": "joint"}).level_names() == ("joint",)
    assert SearchSettings.of({"space": "hybrid_cifar"}).level_names() == ("one",)


def test_the_second_level_is_what_the_first_leaves_open():
    search, recipe = SearchSettings.of({"space": "glit_cifar_24_3"}), Recipe().merged({"img_size": 32})
    first = search.space_of("distribution", None, classes=5, recipe=recipe)
    from glocal.design import decide, questions

    second = search.space_of("details", decide(first, (0, 3, 1)), classes=5, recipe=recipe)
    assert [len(q.options) for q in questions(first)] == [4, 4, 4]
    assert [len(q.options) for q in questions(second)] == [9, 9, 9]
    assert second.head[-1].width == 5


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"space": "hybrid_cifar", "levels": "two"}, RecipeError, "hybrid_cifar has no levels"),
        ({"space": "glit_cifer"}, ArchitectureError, "did you mean"),
        ({"candidates": 0}, RecipeError, "--candidates 0"),
        ({"candidats": 9}, RecipeError, "no setting 'candidats'; did you mean 'candidates'"),
        ({"max_macs": 1, "min_macs": 2}, RecipeError, "leave nothing between"),
        ({"budget_s": -1}, RecipeError, "--budget -1"),
    ],
)
def test_what_is_wrong_is_named(values, error, message):
    with pytest.raises(error, match=message):
        SearchSettings.of(values)


@pytest.mark.parametrize(
    "changes",
    [
        *(
            {"supernet_epochs": 3},
            {"front": "macs"},
            {"bins": 4, "strategy": "proxy"},
            {"topk": 2, "strategy": "guided"},
        ),
        *({"method": "random"}, {"sharing": "entangled"}, {"p_mutation": 0.5}, {"calibration": 10}),
    ],
)
def test_settings_of_a_supernet_have_no_effect_without_one_and_are_refused(changes):
    with pytest.raises(
        RecipeError, match=r"has no effect with --strategy \w+; leave it out, or give --strategy supernet"
    ):
        SearchSettings.of(changes)
    SearchSettings.of({**changes, "strategy": "supernet"})


@pytest.mark.parametrize("strategy", ["halving", "asha", "random", "supernet", "fair", "sandwich"])
def test_a_proxy_that_nothing_asks_is_refused(strategy):
    with pytest.raises(RecipeError, match=f"proxy macs has no effect with --strategy {strategy}; .*proxy or guided"):
        SearchSettings.of({"proxy": "macs", "strategy": strategy})
    SearchSettings.of({"proxy": "macs", "strategy": "guided"})


def test_without_a_supernet_a_search_costs_what_one_with_a_supernet_does():
    """12.5 full trainings: five finalists are 8 parts of 20."""
    settings = SearchSettings.of({"finalist_epochs": 8, "levels": "one", "space": "hybrid_cifar"})
    (phase,) = settings.phases(30)
    assert (phase.name, phase.wanted) == ("one/race", 100)
    assert settings.horizon(100, 30) == 8
    with_time = SearchSettings.of({"budget_s": 3600, "levels": "one", "space": "hybrid_cifar"})
    assert with_time.phases(30)[0].wanted is None
    assert with_time.horizon(100, 30) == 8
    assert with_time.horizon(10_000, 30) == 30, "no longer than the recipe"
    assert with_time.horizon(5, 30) == 1


def test_settings_without_effect_are_not_kept_and_what_is_kept_gives_the_same_settings():
    for changes in ({}, {"strategy": "supernet", "bins": 4, "front": "macs"}, {"strategy": "guided", "proxy": "macs"}):
        settings = SearchSettings.of(changes)
        kept = settings.to_json()
        assert ("bins" in kept) == ("sharing" in kept) == settings.has_supernet
        assert SearchSettings.of(kept) == settings
