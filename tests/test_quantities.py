"""Amounts and times are read as people write them, and anything else is named with an example."""

import pytest

from glocal.errors import RecipeError
from glocal.searching.settings import SearchSettings


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("max_macs", "0.3G", 3e8),
        ("max_macs", "1300M", 1.3e9),
        ("max_params", "5", 5.0),
        ("max_params", "2e6", 2e6),
        ("max_latency_ms", "5ms", 5.0),
        ("max_memory_bytes", "40MB", 4e7),
        ("max_memory_bytes", "40M", 4e7),
        ("budget_s", "2h", 7200),
        ("budget_s", "90m", 5400),
        ("budget_s", "1h30m", 5400),
        ("budget_s", "45s", 45),
        ("budget_s", "0.5h", 1800),
        ("budget_s", 45, 45),
    ],
)
def test_quantities_are_read_as_people_write_them(name, text, value):
    assert getattr(SearchSettings.of({name: text}), name) == value


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("max_macs", "big", "--max-macs big: give a number such as 0.3G"),
        ("max_latency_ms", "5s", "--max-latency 5s: give a number such as 5ms"),
        ("budget_s", "2", "--budget 2: give a time such as 2h"),
        ("budget_s", "h", "--budget h: give a time"),
        ("budget_s", "tomorrow", "--budget tomorrow: give a time"),
    ],
)
def test_what_is_no_quantity_is_named_with_an_example(name, text, says):
    with pytest.raises(RecipeError, match=says):
        SearchSettings.of({name: text})
