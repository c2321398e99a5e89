"""The tasks of a search's workers, made anew from its folder: for machines that join by `glocal work`."""

from glocal.searching.candidates.candidate_table import EvaluateCandidates
from glocal.searching.racing.level import RacedLevel
from glocal.searching.racing.trial import TrainNetworks
from glocal.searching.search_run import SearchRun


def candidates_task(folder: str, level: str) -> EvaluateCandidates:
    """Evaluates candidates with the supernet of a level."""
    return EvaluateCandidates(SearchRun.load(folder).evaluation(level))


def race_task(folder: str, level: str) -> TrainNetworks:
    """Trains networks of a level that has no supernet."""
    search_run = SearchRun.load(folder)
    return RacedLevel(search_run, level, search_run.space_at(level)).task
