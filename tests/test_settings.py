"""Settings given as text mean what they say, whatever YAML would make of them."""

import pytest

from glocal.data.options import DataOptions
from glocal.settings import merge


@pytest.mark.parametrize("text", ["(.)", "[a-z]", "(a|b)_", "{x}", "a: b", "1:30", "yes", "010", ""])
def test_a_field_of_text_takes_text_as_it_is(text: str):
    assert merge(DataOptions(), {"group_by": text}).group_by == text


@pytest.mark.parametrize("text", ["null", "~"])
def test_null_takes_a_text_away(text: str):
    assert merge(DataOptions(group_by="(.)"), {"group_by": text}).group_by is None
