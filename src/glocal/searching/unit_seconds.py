"""What a unit of each phase of a search takes on this machine, measured on a few networks of its space."""

import math

from glocal.design import Architecture, decide
from glocal.searching.search_run import SearchRun
from glocal.searching.supernet.evaluator import BATCH
from glocal.searching.supernet.paths import monitored
from glocal.trials.measuring import evaluation_seconds, training_seconds
from glocal.trials.plan import UnitSeconds

MONITORED = 8  # paths that are evaluated after each epoch of a supernet; ours, since GLiT does not state a number
MONITORED_ON = 1000  # held-out pictures


def unit_seconds(search_run: SearchRun, space: Architecture) -> UnitSeconds:
    """Seconds of a unit of a phase such as "details/supernet". Each kind of phase is measured once a session and space, so that
    all levels are taken to be like this space, and what the quote has measured is not measured again."""

    def seconds(phase: str) -> float:
        kind = phase.rpartition("/")[2]
        if (space, kind) not in search_run.unit_seconds:
            search_run.unit_seconds[space, kind] = _measure(search_run, space, kind)
        return search_run.unit_seconds[space, kind]

    return seconds


def _measure(search_run: SearchRun, space: Architecture, kind: str) -> float:
    """Seconds of an epoch of the supernet, of a candidate, of an epoch of all finalists, or of one network in a race."""
    settings, device = search_run.settings, search_run.machine.device
    archs = [decide(space, answers) for answers in monitored(space, seed=settings.seed, n=4)]
    train, val = len(search_run.data.train), len(search_run.data.val)
    calibration = min(settings.calibration, train)
    workers = search_run.workers
    at_once = {"supernet": 1, "candidates": workers, "finalists": min(workers, settings.finalists), "race": workers}[
        kind
    ]
    forward_s = evaluation_seconds(archs, batch_size=BATCH, device=device, threads=1, at_once=at_once)
    if kind == "candidates":
        return (val + calibration) * forward_s / at_once
    threads = search_run.threads if kind == "supernet" else search_run.finalist_threads
    batch_size, amp = search_run.recipe.batch_size, search_run.recipe.amp
    step_s = training_seconds(archs, batch_size=batch_size, amp=amp, device=device, threads=threads, at_once=at_once)
    if kind == "race":
        return (train * step_s + val * forward_s) / at_once
    if kind == "supernet":
        return (
            settings.path_schedule(space).count * train * step_s
            + MONITORED * (min(MONITORED_ON, val) + calibration) * forward_s
        )
    return (train * step_s + val * forward_s) * math.ceil(settings.finalists / at_once)
