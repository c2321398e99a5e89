"""`glocal report`: prints where the page lies; a folder of something else ends with 1 and one line."""

import json

import pytest


@pytest.fixture
def begun(tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "search.yaml").write_text("levels: [one]\n")
    return tmp_path / "s"


def test_help_says_what_is_reported(glocal):
    code, out, _ = glocal("report", "--help")
    assert code == 0
    assert "a run, a study or a search" in out


def test_the_path_is_printed(glocal, begun):
    assert glocal("report", "s") == (0, "s/report.html\n", "")
    assert (begun / "report.html").is_file()


def test_json_is_one_object(glocal, begun):
    _, out, _ = glocal("report", "s", "--json")
    assert json.loads(out) == {"report": "s/report.html", "plots": []}


def test_a_folder_that_is_no_search_is_one_line(glocal, tmp_path):
    code, out, err = glocal("report", str(tmp_path))
    assert (code, out) == (1, "")
    assert err.startswith("SearchError: ")
    assert "reports are written of runs, studies and searches" in err


def test_a_cost_that_is_none_is_an_error(glocal, begun):
    code, _, err = glocal("report", "s", "--cost", "flops")
    assert code == 1
    assert "'flops' is not a cost of a candidate" in err
