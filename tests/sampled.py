"""Which parameters of a test run by default, and which wait for the slow tests."""

from collections.abc import Container, Iterable

import pytest

import glocal

LARGE = 10_000_000  # weights of a network; those beyond may take seconds to build and compute


def but_slow(names: Iterable[str], slow: Container[str]) -> list[object]:
    """Parameters of a test, of which some run with the slow tests."""
    return [pytest.param(name, marks=pytest.mark.slow if name in slow else ()) for name in names]


def large_slow(names: Iterable[str]) -> list[object]:
    """Names of architectures, of which the large ones run with the slow tests."""
    names = list(names)
    return but_slow(names, [n for n in names if glocal.cost(glocal.architecture(n)).params > LARGE])
