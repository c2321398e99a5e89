import subprocess
import sys
import time

import pytest

from glocal.design.limits import Limits
from glocal.errors import RecipeError, SearchError
from landscape import DETAILS, SMALL


def test_limits_allow_what_is_between_them_both_ends_included():
    limits = Limits(min_macs=10, max_macs=20, max_params=5)
    assert [m for m in range(8, 24) if limits.allows({"macs": m, "params": 5})] == list(range(10, 21))
    assert not limits.allows({"macs": 15, "params": 6})
    assert Limits().allows({"macs": 1e12, "params": 1e12})


def test_a_limit_on_what_was_not_counted_is_an_error():
    with pytest.raises(SearchError, match="latency_ms is limited, and the pricer gives only macs, params"):
        Limits(max_latency_ms=3).allows({"macs": 1, "params": 1})


def test_limits_are_told_with_units():
    limits = Limits(max_macs=1.3e9, min_params=4e6, max_params=6e6, max_memory_bytes=2**30)
    told = "at most 1,300 M multiply-adds and 4 to 6 M parameters and at most 1,024 MiB"
    assert limits.named() == told
    assert Limits().named() == "no limits"


def test_limits_that_exclude_each_other_are_an_error():
    with pytest.raises(RecipeError, match="at least 20 ms and at most 10 ms leave nothing between"):
        Limits(min_latency_ms=20, max_latency_ms=10)


@pytest.mark.parametrize(
    ("limits", "range_of_space"),
    [
        (Limits(max_macs=749.4e6), "at most 749.4 M multiply-adds; those of this space have 749.451 to 1,924.15 M"),
        (Limits(min_macs=1925e6), "at least 1,925 M multiply-adds; those of this space have 749.451 to 1,924.15 M"),
        (Limits(max_params=3.7e6), "at most 3.7 M parameters; those of this space have 3.79866 to 9.22199 M"),
    ],
)
def test_a_limit_that_nothing_meets_is_told_at_once_with_the_range_of_the_space(limits, range_of_space):
    begun = time.process_time()
    with pytest.raises(SearchError, match=f"details: no candidate has {range_of_space}"):
        limits.check_feasible(DETAILS)
    assert time.process_time() - begun < 5


def test_limits_that_something_meets_are_feasible():
    Limits(max_macs=749.5e6).check_feasible(DETAILS)
    Limits(min_macs=1, max_macs=1.3e9, max_latency_ms=1).check_feasible(DETAILS)
    Limits().check_feasible(SMALL)


def test_proposing_and_keeping_candidates_loads_no_torch():
    code = """
import sys
from glocal.trials import coordinator
from glocal.searching.candidates import methods, proposals
from glocal.searching.candidates import loop as evolve
from glocal.searching.candidates import front
from glocal.design import limits
from glocal.trials import table
from glocal.trials.workers import worker as workers
assert not {"torch", "numpy", "optuna", "ray"} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)
