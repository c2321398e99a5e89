"""The verb pick on digits: it prints a quote, the race and the answer, and one JSON object with --json."""

import json

SMALL = (
    "--candidates", "convmixer_16_1_p4_k3_32,convmixer_16_2_p4_k3_32", "--epochs", "1", "--seeds", "1", "--workers", "1",
    "--set", "img_size=16", "--set", "warmup_epochs=0", "--budget", "2h", "--output", "picks",
)  # fmt: skip


def test_pick_on_digits_ends_in_a_network_and_a_page(glocal, tmp_path):
    code, out, err = glocal("pick", "digits", *SMALL)
    assert (code, err) == (0, "")
    assert "2 networks race" in out
    assert "after 1 epoch " in out
    assert "Pick convmixer_16_" in out
    assert (tmp_path / "picks" / "digits" / "report.html").is_file()
    code, again, _ = glocal("pick", "--resume", "picks/digits")
    assert code == 0
    line = next(line for line in out.splitlines() if line.startswith("Pick "))
    assert line in again


def test_pick_as_json_is_one_object(glocal):
    code, out, _ = glocal("pick", "digits", *SMALL, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["pick"] in {row["name"] for row in found["candidates"]}
    assert found["report"].endswith("report.html")


def test_pick_without_pictures_says_what_to_type(glocal):
    code, _, err = glocal("pick")
    assert code == 2
    assert "glocal pick DATA --budget 1h --max-latency 20ms" in err


def test_what_does_not_go_with_resume_is_refused(glocal):
    code, _, err = glocal("pick", "--resume", "picks/digits", "--budget", "2h")
    assert code == 2
    assert "--budget has no effect with --resume" in err
