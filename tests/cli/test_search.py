"""What the search verbs are told: amounts and times as people write them, and nothing that would be ignored."""

import json
from pathlib import Path

import pytest

from glocal.cli.search import amount, seconds_of
from glocal.errors import RecipeError


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("0.3G", "", 3e8),
        ("1300M", "", 1.3e9),
        ("5", "", 5.0),
        ("2e6", "", 2e6),
        ("5ms", "ms", 5.0),
        ("40MB", "B", 4e7),
        ("40M", "B", 4e7),
    ],
)
def test_amounts_are_read_as_people_write_them(text, unit, value):
    assert amount("--max-x", text, unit=unit) == value


@pytest.mark.parametrize(
    ("text", "seconds"), [("2h", 7200), ("90m", 5400), ("1h30m", 5400), ("45s", 45), ("0.5h", 1800)]
)
def test_times_are_read_as_people_write_them(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    ("flag", "text", "unit", "like"), [("--max-macs", "big", "", "0.3G"), ("--max-latency", "5s", "ms", "5ms")]
)
def test_an_amount_that_is_none_is_named_with_an_example(flag, text, unit, like):
    with pytest.raises(RecipeError, match=f"{flag} '{text}'.*{like}"):
        amount(flag, text, unit=unit)


@pytest.mark.parametrize("text", ["", "2", "h", "tomorrow"])
def test_a_time_that_is_none_is_named(text):
    with pytest.raises(RecipeError, match="--budget"):
        seconds_of(text)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["search"], 2, "name a folder of pictures"),
        (["search", "digits", "--space", "glit_cifer"], 1, "did you mean glit_cifar"),
        (["search", "digits", "--space", "hybrid_cifar", "--levels", "two"], 2, "hybrid_cifar has no levels"),
        (["search", "digits", "--budget", "soon"], 2, "--budget 'soon': give a time"),
        (["search", "--resume", "nowhere", "--seed", "1"], 2, "--seed has no effect with --resume"),
        (["search", "--resume=nowhere", "--workers=2"], 1, "nowhere is not the folder of a search"),
        (["rank", "nowhere"], 1, "nowhere is not the folder of a search"),
    ],
)
def test_what_is_wrong_ends_with_one_line(glocal, words, code, said):
    ended, _, err = glocal(*words)
    assert ended == code
    assert said in err


def test_a_search_prints_one_object_for_scripts_and_can_be_ranked(glocal, shades):
    little = "--supernet-epochs 1 --candidates 4 --finalists 2 --finalist-epochs 1 --val-fraction 0.25 --recipe small"
    sets = "--set population=2 --set calibration=64 --set img_size=16 --set warmup_epochs=0 --set batch_size=16"
    code, out, err = glocal(
        "search", shades, "--space", "glit_cifar_12_2", *little.split(), *sets.split(), "--workers", 1, "--json"
    )
    assert code == 0, err
    told = json.loads(out)
    folder = Path(told["folder"])
    for made in (told["report"], told["weights"], folder / "plots" / "winner.png", folder / "quote.txt"):
        assert Path(made).is_file()
    code, out, err = glocal("rank", folder, "--networks", 3, "--epochs", 1, "--json")
    assert code == 0, err
    assert json.loads(out)["n"] == 3
