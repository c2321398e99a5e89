"""What a search is told is checked before a picture is read, and its numbers are SPOS' where nothing else is said."""

import pytest

from glocal.errors import ArchitectureError, RecipeError
from glocal.searching.evolution import Evolution, RandomSearch
from glocal.searching.settings import Search
from glocal.training.recipe import Recipe


def test_a_thousand_candidates_are_evolved_with_the_numbers_of_spos():
    assert Search.of({}).evolution(1000) == Evolution(20, 50, 10, 25, 25, 0.1, 10)


def test_fewer_candidates_keep_the_proportions():
    method = Search.of({}).evolution(200)
    assert (method.generations, method.population, method.topk, method.mutations) == (10, 20, 4, 10)
    assert Search.of({"method": "random"}).evolution(120) == RandomSearch(120, 12)
    assert sum(Search.of({}).evolution(3).batches) <= 3


def test_without_a_budget_what_is_not_given_is_usual_and_with_one_what_fits():
    assert Search.of({"candidates": 7}).wanted(15) == {"supernet": 15, "candidates": 7, "finalists": 15}
    fitting = {"supernet": None, "candidates": 7, "finalists": None}
    assert Search.of({"candidates": 7, "budget_s": 60}).wanted(15) == fitting


def test_levels_follow_from_the_space():
    assert Search.of({"space": "glit_tiny"}).names() == ("distribution", "details")
    assert Search.of({"space": "glit_tiny", "levels": "joint"}).names() == ("joint",)
    assert Search.of({"space": "hybrid_cifar"}).names() == ("one",)


def test_the_second_level_is_what_the_first_leaves_open():
    search, recipe = Search.of({"space": "glit_cifar_24_3"}), Recipe().merged({"img_size": 32})
    first = search.space_of("distribution", None, classes=5, recipe=recipe)
    from glocal.design import decide, questions

    second = search.space_of("details", decide(first, (0, 3, 1)), classes=5, recipe=recipe)
    assert [len(q.options) for q in questions(first)] == [4, 4, 4]
    assert [len(q.options) for q in questions(second)] == [9, 9, 9]
    assert second.head[-1].width == 5


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"space": "hybrid_cifar", "levels": "two"}, RecipeError, "hybrid_cifar has no levels"),
        ({"space": "glit_cifer"}, ArchitectureError, "did you mean"),
        ({"candidates": 0}, RecipeError, "candidates 0"),
        ({"candidats": 9}, RecipeError, "candidats 9: extra inputs"),
        ({"max_macs": 1, "min_macs": 2}, RecipeError, "leave nothing between"),
        ({"budget_s": -1}, RecipeError, "budget_s -1"),
    ],
)
def test_what_is_wrong_is_named(given, error, said):
    with pytest.raises(error, match=said):
        Search.of(given)
