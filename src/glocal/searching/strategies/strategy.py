"""The strategies of a search, each as data, and the one procedure that runs them all at equal total cost."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, takewhile
from math import inf, isnan, nan

from glocal.comparing.racing.decision import Exit, decide
from glocal.comparing.racing.race import Race, race
from glocal.comparing.racing.rules import Entrant, Rules, halving_rungs
from glocal.errors import SearchError
from glocal.searching.strategies.asha import Asha
from glocal.searching.strategies.workbench import Workbench

GUIDED_SHARE = 0.6
"""Of the budget for a supernet and its candidates: 12 parts in 20, as in `SHARES` of the search's settings."""
PROXY_SHARE = 0.2
"""Of the budget for the scores of a proxy, which scores no more candidates than that affords."""
ETA = 3
TIME_ALONE = 0.999
"""A margin by which no network goes for being behind. After a ninth of a training differences are real and yet not those of the
end: on our bench, a race that went by their intervals found worse networks (docs/search_bench.md)."""


@dataclass(frozen=True)
class Strategy:
    """What a search does with its time.

    guide: what proposes networks: a proxy ("macs", "synflow") or a way to train a supernet ("supernet", "fair", "sandwich");
        None takes them at random. guided_share: of the budget that it may take.
    doubts: every other candidate is one that the guide did not name, first the corners of the space, then random ones, so that a
        guide that is wrong costs half of the candidates and not all.
    races: successive halving of what is proposed; otherwise as many as fit are trained in full, in the order of the guide.
    barriers: a race waits at each rung for all that train; otherwise networks go on as workers become free (ASHA).
    continued: a race continues its trainings from rung to rung; otherwise each rung is a training with a schedule of its own.
    rungs: before the full trainings: 1/3 of them, 1/9 and so on. margin: a network goes, whatever time there is, if the interval
        of its difference to the leader is below minus this.
    """

    guide: str | None = None
    guided_share: float = GUIDED_SHARE
    doubts: bool = False
    races: bool = False
    barriers: bool = True
    continued: bool = True
    rungs: int = 2
    margin: float = TIME_ALONE


def strategies(proxy: str) -> dict[str, Strategy]:
    """The strategies by the names that `--strategy` takes. `proxy` guides those that take one."""
    return {
        "supernet": Strategy("supernet"),
        "fair": Strategy("fair"),
        "sandwich": Strategy("sandwich"),
        "halving": Strategy(races=True),
        "asha": Strategy(races=True, barriers=False),
        "proxy": Strategy(proxy, PROXY_SHARE),
        "guided": Strategy(proxy, PROXY_SHARE, doubts=True, races=True),
        "random": Strategy(),
    }


@dataclass(frozen=True)
class Found:
    """What a strategy found. accuracy: of the winner's last training, as measured. trained: the networks that were trained in
    full, best first; none where the time ended before. spent_s: all that it cost."""

    winner: str
    accuracy: float
    trained: tuple[str, ...]
    spent_s: float
    race: Race


def run(strategy: Strategy, bench: Workbench, *, budget_s: float, horizon: int) -> Found:
    """Spends a budget on finding the best network after `horizon` epochs; the winner's own training is part of it.

    SearchError where the budget does not suffice to train a single network in full.
    """
    ranked = _proposed(strategy, bench, budget_s=budget_s)
    spend = _in_full if not strategy.races else _raced if strategy.barriers else _climbed
    return spend(strategy, bench, ranked, budget_s=budget_s, horizon=horizon)


def _proposed(strategy: Strategy, bench: Workbench, *, budget_s: float) -> list[str]:
    """The candidates in the order in which they deserve to be trained."""
    networks = list(bench.networks)
    if strategy.guide is None:
        return networks
    scores = bench.guide(strategy.guide, budget_s=strategy.guided_share * budget_s)
    scored = [name for name in networks if not isnan(scores.get(name, nan))]
    best = sorted(scored, key=lambda name: -scores[name])
    if not strategy.doubts:
        return best or networks
    return list(dict.fromkeys([*chain.from_iterable(zip(best, networks, strict=False)), *networks]))


def _in_full(strategy: Strategy, bench: Workbench, ranked: Sequence[str], *, budget_s: float, horizon: int) -> Found:
    """Trains the first ones as long as there is time, each to the horizon; the most accurate wins."""
    chosen = _affordable(bench, ranked, seconds=budget_s - bench.spent_s, epochs=horizon)
    one_rung = Rules(rungs=(horizon,), margin=strategy.margin, places=len(chosen), cost_aware=False)
    return _found(bench, chosen, one_rung, allowance=None)


def _raced(strategy: Strategy, bench: Workbench, ranked: Sequence[str], *, budget_s: float, horizon: int) -> Found:
    """Successive halving: every rung has the same share of the time, and so a third as many networks as the one before."""
    rungs = rungs_of(strategy, horizon)
    left_s = budget_s - bench.spent_s
    chosen = _affordable(bench, ranked, seconds=left_s / len(rungs), epochs=rungs[0])
    rules = Rules(
        rungs=rungs, margin=strategy.margin, places=len(chosen), cost_aware=False, continued=strategy.continued
    )
    return _found(bench, chosen, rules, allowance=budget_s)


def _climbed(strategy: Strategy, bench: Workbench, ranked: Sequence[str], *, budget_s: float, horizon: int) -> Found:
    """ASHA: the same rungs, at which nobody waits."""
    left_s = budget_s - bench.spent_s
    _affordable(bench, ranked, seconds=left_s, epochs=horizon)
    rungs = rungs_of(strategy, horizon)
    asha = Asha(ranked, rungs, eta=ETA, budget_s=left_s, epoch_s=bench.epoch_s)
    measured = bench.climb(asha)
    entrants = [Entrant(name, bench.epoch_s(name)) for name in ranked if name in asha.begun(0)]
    rules = Rules(rungs, margin=strategy.margin, places=len(entrants), cost_aware=False)
    reached = [[name for name in asha.begun(n) if epochs in measured.get(name, {})] for n, epochs in enumerate(rungs)]
    if not reached[0]:
        raise SearchError(f"no network could be trained for {rungs[0]} epochs: all trainings failed, or the time ended")
    reached = list(takewhile(bool, reached))
    decided = [decide(entrants, names, measured, rules=rules, rung=n) for n, names in enumerate(reached)]
    for n, rung in enumerate(decided[:-1]):
        standings = (replace(s, exit=None if s.arm in asha.begun(n + 1) else Exit.PLACES) for s in rung.standings)
        decided[n] = replace(rung, standings=tuple(standings))
    return _found_in(Race(tuple(decided)), bench, horizon=horizon)


def rungs_of(strategy: Strategy, horizon: int) -> tuple[int, ...]:
    """The epochs after which networks are compared; the last are those of a full training."""
    if not strategy.races:
        return (horizon,)
    return (*(n for n in halving_rungs(horizon, eta=ETA, rungs=strategy.rungs) if n < horizon), horizon)


def _affordable(bench: Workbench, ranked: Sequence[str], *, seconds: float, epochs: int) -> list[str]:
    """The first networks that fit into a time together. SearchError where not even one does."""
    chosen, left_s = [], seconds
    for name in ranked:
        left_s -= epochs * bench.epoch_s(name)
        if left_s < 0:
            break
        chosen.append(name)
    if not chosen:
        raise SearchError(
            f"what is left of the budget suffices for {seconds / bench.epoch_s(ranked[0]):.1f} epochs of {ranked[0]}, and "
            f"{epochs} are needed; give more time, or fewer epochs"
        )
    return chosen


def _found(bench: Workbench, chosen: Sequence[str], rules: Rules, *, allowance: float | None) -> Found:
    """Races networks by the rules. The time that is left at a rung is divided equally among it and those that follow."""
    entrants = [Entrant(name, bench.epoch_s(name)) for name in chosen]

    def allowance_s(rung: int) -> float:
        return inf if allowance is None else bench.left_s(allowance, rung=rung) / (len(rules.rungs) - rung)

    raced = race(
        entrants, lambda heats: bench.train(heats, continued=rules.continued), rules=rules, allowance_s=allowance_s
    )
    return _found_in(raced, bench, horizon=rules.rungs[-1])


def _found_in(raced: Race, bench: Workbench, *, horizon: int) -> Found:
    """The best of the last rung that was trained in full; where the time ended before, the leader so far."""
    last = sorted(raced.rungs[-1].standings, key=lambda each: (-each.accuracy, each.arm != raced.rungs[-1].leader))
    finished = tuple(each.arm for each in last if each.epochs == horizon)
    return Found(last[0].arm, last[0].accuracy, finished, bench.spent_s, raced)
