"""What many trials need is asked for before pictures are read, and not found missing after the training."""

import pytest

import glocal
from glocal import extras
from glocal.errors import MissingPackage


@pytest.fixture
def without(monkeypatch):
    """A function that hides packages."""
    found = extras.find_spec
    return lambda *names: monkeypatch.setattr(extras, "find_spec", lambda name: None if name in names else found(name))


@pytest.mark.parametrize(
    "start",
    [
        lambda **where: glocal.study("no/pictures", "glit.table1", **where),
        lambda **where: glocal.search("no/pictures", **where),
        lambda **where: glocal.pick("no/pictures", **where),
    ],
)
def test_a_missing_package_is_named_before_the_pictures_are_looked_for(start, without):
    without("optuna")
    with pytest.raises(MissingPackage, match=r"needs optuna: pip install 'glocal\[search\]'"):
        start()
    without("ray")
    with pytest.raises(MissingPackage, match=r"needs ray: pip install 'glocal\[search,cluster\]'"):
        start(engine="ray")


def test_a_study_asks_for_what_its_results_are_written_with(without):
    without("pyarrow")
    with pytest.raises(MissingPackage, match=r"predictions\.parquet needs pyarrow: pip install 'glocal\[study\]'"):
        glocal.study("no/pictures", "glit.table1")
