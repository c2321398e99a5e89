"""The verbs of a search refuse what would be ignored, and print one object for scripts."""

import json
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["search"], 2, "name a folder of pictures"),
        (["search", "digits", "--space", "glit_cifer"], 1, "did you mean glit_cifar"),
        (["search", "digits", "--space", "hybrid_cifar", "--levels", "two"], 2, "hybrid_cifar has no levels"),
        (["search", "digits", "--budget", "soon"], 2, "--budget soon: give a time"),
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
    little = "--strategy supernet --supernet-epochs 1 --candidates 4 --finalists 2 --finalist-epochs 1"
    little += " --val-fraction 0.25 --recipe small"
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
