"""The loop of a search: propose a generation, have it evaluated, propose the next. It can be killed and started again."""

import time
from collections.abc import Callable, Sequence

from glocal.searching.candidates.candidate import Candidate
from glocal.searching.candidates.candidate_table import (
    EvaluateCandidates,
    Evaluation,
    as_candidate,
    as_trial,
    candidates,
)
from glocal.searching.candidates.methods import Strategy
from glocal.searching.candidates.proposals import propose
from glocal.trials.coordinator import coordinate
from glocal.trials.table import Table
from glocal.trials.workers.pool import Engine


def evolve(
    strategy: Strategy,
    evaluation: Evaluation,
    *,
    table: Table,
    workers: int = 1,
    engine: Engine = "processes",
    deadline: float | None = None,
    on_generation: Callable[[Sequence[Candidate]], None] | None = None,
) -> list[Candidate]:
    """Evaluates the candidates that a strategy proposes; returns all of the table, in the order in which they were proposed.

    The candidates and their accuracies are the same for any number of workers, and after any kill: started again with the same
    arguments, it continues from what the table holds. workers=1 evaluates in this process. After `deadline` (of time.monotonic)
    no new generation is started. `on_generation` is called with every generation once it is evaluated, also with those that the
    table had before.

    SearchError or TrialError where nothing is within the limits, an evaluation fails or the table is lost; Stopped after a
    signal. In all cases the table keeps what was evaluated, and the rest waits in it.
    """
    started = {c.generation for c in candidates(table)}
    with coordinate(EvaluateCandidates(evaluation), table, workers=workers, engine=engine) as coordinator:
        for generation in range(len(strategy.method.batches)):
            if deadline is not None and time.monotonic() > deadline and generation not in started:
                break
            batch = propose(strategy, generation=generation, done=candidates(table))
            if not batch:
                break
            evaluated = coordinator.run([as_trial(candidate, strategy) for candidate in batch])
            if on_generation:
                on_generation([as_candidate(trial) for trial in evaluated])
    return candidates(table)
