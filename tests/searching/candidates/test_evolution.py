from dataclasses import replace

import pytest

from glocal.design import Architecture
from glocal.design.limits import Limits
from glocal.design.space import OneOf, canonical, decide, size
from glocal.errors import SearchError
from glocal.families.glit import glit, options
from glocal.searching.candidates.candidate import Candidate, best
from glocal.searching.candidates.methods import Evolution, RandomSearch, Strategy, competing
from glocal.searching.candidates.proposals import propose
from landscape import DETAILS, SMALL, constrained_optimum, legacy_price, price, worth, worths

SPOS = Evolution()
LIMITS = Limits(max_macs=1335e6)


def generations(space: Architecture, method, seed: int = 0, limits: Limits = LIMITS, values=None, pricer=legacy_price):
    """All candidates of a search, evaluated on an additive landscape."""
    values = values or worths(space, seed)
    done: list[Candidate] = []
    for generation in range(len(method.batches)):
        batch = propose(Strategy(space, method, limits, pricer, seed), generation=generation, done=done)
        done += [replace(c, accuracy=worth(values, c.answers), n=1) for c in batch]
    return done


BRIEF = Evolution(generations=6, population=20, topk=5, mutations=8, crossovers=8)


def test_the_same_seed_proposes_the_same_and_another_others():
    assert generations(DETAILS, BRIEF) == generations(DETAILS, BRIEF)
    values = worths(DETAILS, 0)
    firsts = [{c.answers for c in generations(DETAILS, BRIEF, seed, values=values)[:20]} for seed in (0, 1)]
    assert not firsts[0] & firsts[1]


def test_a_generation_depends_on_nothing_but_the_seed_its_number_and_what_was_done_before():
    done = generations(DETAILS, BRIEF)
    strategy = Strategy(DETAILS, BRIEF, LIMITS, legacy_price)
    for generation in range(6):
        as_it_was = tuple(replace(c, accuracy=None, n=0) for c in done if c.generation == generation)
        assert propose(strategy, generation=generation, done=done[::-1]) == as_it_was


def test_candidates_are_new_within_the_limits_and_canonical():
    tied = OneOf(options(3, 0), "every")  # its second place is the same question
    space = glit("tied", (tied, OneOf(options(3, 1)), tied, OneOf(options(3, 3))), width=24)
    limits = Limits(min_macs=11e6, max_macs=16e6)
    done = generations(space, BRIEF, limits=limits, pricer=price)
    assert len({c.answers for c in done}) == len(done) == 120
    assert all(c.costs == price(decide(space, c.answers)) and limits.allows(c.costs) for c in done)
    assert all(canonical(space, c.answers) == c.answers for c in done)
    assert [(c.generation, c.index) for c in done] == [(g, i) for g in range(6) for i in range(20)]


def test_children_descend_from_the_best_of_all_generations_before():
    done = generations(DETAILS, BRIEF)
    for child in (c for c in done if c.generation):
        archive = [c.answers for c in best([c for c in done if c.generation < child.generation], BRIEF.topk)]
        assert set(child.parents) <= set(archive)
        assert len(set(child.parents)) == {"random": 0, "mutation": 1, "crossover": 2}[child.origin]
        if child.origin == "crossover":
            first, second = child.parents
            assert all(gene in pair for gene, *pair in zip(child.answers, first, second, strict=True))
    born = [c.origin for c in done if c.generation == 1]
    assert born == ["mutation"] * 8 + ["crossover"] * 8 + ["random"] * 4


def test_genes_are_redrawn_as_often_as_asked():
    done = generations(DETAILS, Evolution(generations=3, population=200, mutations=200, crossovers=0))
    children = [c for c in done if c.origin == "mutation"]
    changed = sum(a != b for c in children for a, b in zip(c.answers, c.parents[0], strict=True))
    # a child without a changed gene is none: 12 x 0.1 x 8/9 genes, over the probability that one changed
    expected = 12 * 0.1 * 8 / 9 / (1 - (1 - 0.1 * 8 / 9) ** 12)
    assert changed / len(children) == pytest.approx(expected, rel=0.15)


def test_the_accounting_of_spos():
    """Its script evaluates the children of the last generation, and never lets them compete."""
    strict = Evolution(strict_spos=True)
    assert (sum(SPOS.batches), sum(strict.batches)) == (1000, 1050)
    assert (SPOS.population, len(SPOS.batches), SPOS.topk, SPOS.mutations, SPOS.crossovers) == (50, 20, 10, 25, 25)
    tiny = Evolution(generations=3, population=10, topk=3, mutations=4, crossovers=4)
    ours, theirs = generations(DETAILS, tiny), generations(DETAILS, replace(tiny, strict_spos=True))
    assert (len(ours), len(theirs)) == (30, 40)
    assert competing(theirs, replace(tiny, strict_spos=True)) == theirs[:30] == ours == competing(ours, tiny)


def effect(seed: int, limit: float) -> tuple[float, float]:
    """The best that evolution and a random search of as many find, as parts of the constrained optimum."""
    values, limits = worths(DETAILS, seed), Limits(max_macs=limit)
    optimum = constrained_optimum(DETAILS, values, limit)
    found = (generations(DETAILS, method, seed, limits, values) for method in (SPOS, RandomSearch()))
    evolved, drawn = (best(done, 1)[0].accuracy / optimum for done in found)
    return evolved, drawn


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("limit", [1335e6, pytest.param(1250e6, marks=pytest.mark.slow)])
def test_evolution_comes_near_the_optimum_of_an_additive_landscape(seed, limit):
    """benchmarks/evolution.py compares 20 seeds with the specification's simulation."""
    evolved, drawn = effect(seed, limit)
    assert 0.93 <= evolved <= 1
    assert evolved > drawn


def test_the_best_are_the_most_accurate_then_the_cheaper_then_the_first():
    def candidate(accuracy, macs, *answers):
        return Candidate(answers, 0, 0, "random", (), {"macs": macs}, accuracy)

    rows = [
        candidate(0.5, 9, 0),
        candidate(0.9, 9, 1),
        candidate(0.9, 3, 3),
        candidate(0.9, 3, 2),
        candidate(None, 1, 4),
    ]
    assert [c.answers for c in best(rows, 3)] == [(2,), (3,), (1,)]
    assert len(best(rows, 9)) == 4


def test_a_search_for_a_front_keeps_the_cheap_among_its_parents():
    """The front's cheap end is better than where accuracy alone chooses the parents."""
    both = generations(DETAILS, replace(SPOS, front="macs"), limits=Limits())
    alone = generations(DETAILS, SPOS, limits=Limits())
    cheap = [max((c.accuracy for c in done if c.costs["macs"] < 900e6), default=-9) for done in (both, alone)]
    assert cheap[0] > cheap[1] + 1


def test_a_random_search_begins_as_the_evolution_of_its_seed():
    assert RandomSearch(120, 50).batches == (50, 50, 20)
    drawn = generations(DETAILS, RandomSearch(50, 20))
    assert [(c.generation, c.index) for c in drawn] == [(g, i) for g in (0, 1, 2) for i in range((20, 20, 10)[g])]
    assert {c.origin for c in drawn} == {"random"}
    assert drawn[:20] == generations(DETAILS, BRIEF)[:20]


def test_a_space_that_is_exhausted_ends_the_search():
    assert size(SMALL) == 729
    done = generations(SMALL, Evolution(generations=20, population=50), limits=Limits(), pricer=price)
    assert len(done) == 729
    assert len({c.answers for c in done}) == 729
    few = generations(SMALL, BRIEF, limits=Limits(max_macs=8.1e6), pricer=price)
    assert 0 < len(few) < 20, "fewer than a generation, and no error"


def test_limits_that_nothing_meets_are_an_error_and_no_loop():
    with pytest.raises(SearchError, match=r"small: 0 of all 729 networks are within the limits \(at most 1 M mult"):
        generations(SMALL, BRIEF, limits=Limits(max_macs=1e6), pricer=price)


def test_limits_that_draws_hardly_meet_are_an_error_with_their_number(monkeypatch):
    monkeypatch.setattr("glocal.searching.candidates.proposals.MAX_SAMPLES", 2000)
    message = (
        r"details: \d+ of 2,000 random networks are within the limits \(at most 950 M multiply-adds\), and a generation needs "
        r"20; sampled: \d+\.\d+ to 1,\d+\.\d+ M multiply-adds; widen the limits"
    )
    with pytest.raises(SearchError, match=message):
        generations(DETAILS, BRIEF, limits=Limits(max_macs=950e6))


def test_where_fewer_are_enough_those_that_are_found_are_proposed(monkeypatch):
    monkeypatch.setattr("glocal.searching.candidates.proposals.MAX_SAMPLES", 2000)
    strategy = Strategy(DETAILS, RandomSearch(200, 200), Limits(max_macs=1000e6), legacy_price, 0)
    found = propose(strategy, generation=0, done=(), least=1)
    assert 0 < len(found) < 200
    assert propose(strategy, generation=0, done=(), least=len(found)) == found
    with pytest.raises(SearchError, match=f"a generation needs {len(found) + 1};"):
        propose(strategy, generation=0, done=(), least=len(found) + 1)


def test_what_comes_first_is_proposed_first_if_the_limits_allow_it():
    cheap, dear = (0,) * 3, (8,) * 3
    limits = Limits(max_macs=(price(decide(SMALL, cheap))["macs"] + price(decide(SMALL, dear))["macs"]) / 2)
    found = propose(Strategy(SMALL, RandomSearch(20, 20), limits, price, 0), generation=0, done=(), first=(dear, cheap))
    assert (found[0].answers, found[0].origin) == (canonical(SMALL, cheap), "corner")
    assert {each.origin for each in found[1:]} == {"random"}
    assert len(found) == 20


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"population": 40}, "25 mutations and 25 crossovers do not fit in a population of 40"),
        ({"topk": 0}, "topk is 0; give 1 or more"),
        ({"p_mutation": 0.0}, "p_mutation is 0.0; give a probability"),
        ({"front": "speed"}, "front is 'speed'; give one of macs, params, latency_ms, memory_bytes"),
    ],
)
def test_numbers_that_make_no_evolution_are_an_error(wrong, message):
    with pytest.raises(SearchError, match=message):
        Evolution(**wrong)
