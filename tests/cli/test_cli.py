"""The command line: one clear line for each mistake, the right exit code, one JSON object with --json."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import glocal as package

TRAIN = "--recipe small --model cct_2_3x2_32 --img-size 16 --epochs 2 --batch-size 8".split()


def test_help_of_every_verb_reads_and_ends_with_zero(glocal):
    for (
        verb
    ) in "check train val eval predict rerun shard probe search rank report recipes models show benchmark".split():
        code, out, _ = glocal(verb, "--help")
        assert code == 0, verb
        assert "Usage: glocal" in out
        assert "--json" in out


def test_help_loads_no_torch():
    program = (
        "import sys; sys.argv=['glocal','--help']\nfrom glocal.cli import main\ntry: main()\nexcept SystemExit: pass\n"
    )
    program += "assert not {'torch', 'timm', 'torchvision', 'sklearn'} & set(sys.modules), 'heavy import'"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# ------------------------------------------------------------------------------------------------------ networks


def test_models_are_listed_matched_and_sorted(glocal):
    _, out, _ = glocal("models", "cct_7*", "--sort", "macs", "--json")
    rows = json.loads(out)
    assert all(row["name"].startswith("cct_7") for row in rows)
    assert [row["macs"] for row in rows] == sorted(row["macs"] for row in rows)
    code, out, _ = glocal("models", "convmixer*")
    assert code == 0
    assert "convmixer_768_32" in out
    assert "21.1 M" in out


def test_a_pattern_without_a_match_is_an_error(glocal):
    code, _, err = glocal("models", "resnext*")
    assert (code, "no model matches 'resnext*'" in err) == (1, True)


def test_a_network_is_shown_as_a_page_as_ops_as_yaml_and_as_python(glocal, tmp_path):
    _, page, _ = glocal("show", "cct_7_3x1_32")
    assert "3.76 M weights" in page
    assert "7 x CompactLayer(4, 2.0)" in page
    _, ops, _ = glocal("show", "cct_7_3x1_32", "--ops")
    assert "stages.0.blocks.6.residual2.branch.linear2" in ops
    _, text, _ = glocal("show", "cct_7_3x1_32", "--yaml")
    (tmp_path / "mine.yaml").write_text(text)
    assert package.architecture(str(tmp_path / "mine.yaml")) == package.architecture("cct_7_3x1_32")
    _, code, _ = glocal("show", "cct_7_3x1_32", "--python")
    *imports, expression = code.strip().split("\n\n")
    scope: dict = {}
    exec("\n".join(imports), scope)
    assert eval(expression, scope) == package.architecture("cct_7_3x1_32")
    _, shown, _ = glocal("show", "mine.yaml", "--json")
    assert json.loads(shown)["params"] == 3_760_139


def test_a_network_is_measured_with_its_unit_and_its_surroundings(glocal):
    code, out, _ = glocal("benchmark", "cct_2_3x2_32", "--batch-size", 2, "--rounds", 3, "--json")
    (row,) = json.loads(out)["models"]["cct_2_3x2_32"]
    assert code == 0
    assert row["images_per_s"] == pytest.approx(2000 / row["p50_ms"])
    assert row["p50_ms"] <= row["p95_ms"]
    code, out, _ = glocal("benchmark", "cct_2_3x2_32", "--batch-size", 1, "--rounds", 2)
    assert "fp32" in out
    code, _, err = glocal("benchmark", "cct_2_3x2_32", "--timm")
    assert (code, "timm has no cct_2_3x2_32" in err) == (1, True)


# ------------------------------------------------------------------------------------------------------ pictures


def test_check_ends_with_the_line_it_would_train_with(glocal, colours):
    code, out, _ = glocal("check", colours)
    assert code == 0
    assert out.rstrip().endswith(f"glocal train {colours} --recipe small --model cct_2_3x2_32")
    code, out, _ = glocal("check", colours, "--json")
    assert json.loads(out)["ok"] is True


def test_check_names_a_broken_picture_and_ends_with_three(glocal, colours):
    (colours / "red" / "broken.jpg").write_bytes(b"")
    code, out, _ = glocal("check", colours)
    assert code == 3
    assert "red/broken.jpg" in out
    assert "--skip-bad-files" in out
    code, out, _ = glocal("check", colours, "--skip-bad-files")
    assert code == 0
    assert "dropped" in out


@pytest.mark.parametrize("verb", ["check", "train"])
@pytest.mark.parametrize("kind", ["missing", "empty", "a file"])
def test_what_is_no_folder_of_pictures_ends_with_three(glocal, tmp_path, verb, kind):
    place = tmp_path / "place"
    if kind == "empty":
        place.mkdir()
    elif kind == "a file":
        place.write_text("x")
    code, _, err = glocal(verb, place)
    assert code == 3
    assert str(place) in err
    assert len(err.strip().splitlines()) <= 3


# ------------------------------------------------------------------------------------------------------ training


def test_train_val_predict_from_a_folder_to_an_answer(glocal, colours, tmp_path):
    code, out, err = glocal("train", colours, *TRAIN, "--epochs", 8, "--name", "x")
    assert code == 0, err
    assert "95 % interval" not in out.splitlines()[0]
    assert "best epoch" in out
    assert "glocal val runs/train/x" in out
    settings = yaml.safe_load(Path("runs/train/x/run.yaml").read_text())
    assert settings["origins"]["epochs"] == "command line"
    code, out, _ = glocal("val", "runs/train/x", colours)
    assert "has no splits, so all of its pictures are scored" in out
    assert "39 of the 48 pictures were trained on" in out
    code, out, _ = glocal("val", "runs/train/x", "--json")
    assert json.loads(out)["top1"] == 1.0
    code, out, _ = glocal("predict", "runs/train/x", colours / "red" / "00.png", colours / "blue")
    assert code == 0
    assert "red/00.png" in out
    code, out, err = glocal("predict", "runs/train/x", "nowhere.png", colours / "red" / "00.png", "--json")
    told = json.loads(out)["predictions"]
    assert (code, told[1]["predicted"][0]) == (1, "red")
    assert "nowhere.png" in told[0]["error"]


def test_a_run_is_resumed_by_its_folder_and_by_nothing_else(glocal, colours):
    assert glocal("train", colours, *TRAIN, "--name", "x", "--json")[0] == 0
    code, out, _ = glocal("train", "--resume", "runs/train/x", "--json")
    assert (code, json.loads(out)["folder"]) == (0, "runs/train/x")
    for words, says in (
        (["--lr", "1e-3"], "--lr has no effect with --resume"),
        (["--set", "min_lr=1e-5"], "--set min_lr has no effect with --resume"),
        (["--name", "y"], "--name has no effect with --resume"),
        ([colours], "DATA has no effect with --resume"),
        (["--restart", "warm"], "--restart has no effect with --resume"),
        (["--epochs", 1], "the run has been trained for 2 epochs"),
        (["--epochs", 9, "--val-fraction", 0.5], "--val-fraction has no effect with --resume"),
    ):
        code, _, err = glocal("train", "--resume", "runs/train/x", *words)
        assert (code, says in err) == (2, True), (words, err)
    code, _, err = glocal("train", colours, "--restart", "warm")
    assert (code, "--resume RUN --epochs N" in err) == (2, True)


def test_a_finished_run_is_trained_longer_in_a_folder_of_its_own(glocal, colours):
    assert glocal("train", colours, *TRAIN, "--name", "x", "--json")[0] == 0
    code, out, _ = glocal("train", "--resume", "runs/train/x", "--epochs", 3, "--lr", "5e-4", "--restart", "warm")
    assert code == 0
    assert "continues runs/train/x after 2 epochs; the schedule starts again, now at a learning rate of" in out
    assert "glocal val runs/train/x-3-epochs" in out
    code, out, _ = glocal("train", "--resume", "runs/train/x", "--epochs", 3, "--output", "more", "--json")
    assert (code, json.loads(out)["folder"]) == (0, "more/x-3-epochs")


def test_an_existing_folder_is_left_alone(glocal, colours):
    for folder in ("runs/train/x", "runs/train/x-2"):
        code, out, _ = glocal("train", colours, *TRAIN, "--epochs", 1, "--name", "x", "--json")
        assert (code, json.loads(out)["folder"]) == (0, folder)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--epochs", "0"], 2, "--epochs 0"),
        (["--lr", "nan"], 2, "--lr nan"),
        (["--epohcs", "3"], 2, "--epochs"),
        (["--modle", "x"], 2, "--model"),
        (["--model", "cct_2_3x2"], 1, "cct_2_3x2_32"),
        (["--recipe", "smal"], 2, "did you mean 'small'"),
        (["--set", "epocs=3"], 2, "did you mean 'epochs'"),
        (["--set", "epochs"], 2, "NAME=VALUE"),
        (["--opt", "adam"], 2, "adamw"),
        (["--device", "cuda:7"], 2, "this machine has"),
        (["--img-size", "12x"], 2, "192x256"),
        (["--weights", "nowhere.pth"], 1, "nowhere.pth: no such file"),
        (["--config", "nowhere.yaml"], 2, "nowhere.yaml cannot be read"),
        (["--opt", "sgd", "--set", "eps=1e-3"], 2, "--set eps has no effect"),
    ],
)
def test_a_mistake_gets_a_line_and_the_right_code(glocal, colours, words, code, says):
    ended, _, err = glocal("train", colours, *words)
    assert ended == code
    assert says in " ".join(err.split())
    assert "Traceback" not in err
    assert not list(Path("runs").rglob("*.safetensors")) if Path("runs").exists() else True


def test_errors_are_json_too_where_it_is_asked_for(glocal):
    code, out, err = glocal("train", "nowhere", "--json")
    assert (code, json.loads(out)["kind"]) == (3, "DataError")
    assert "nowhere" in err


def test_weights_cut_in_half_and_weights_with_code_in_them_are_refused(glocal, colours, tmp_path):
    assert glocal("train", colours, *TRAIN, "--epochs", 1, "--name", "x", "--json")[0] == 0
    best = Path("runs/train/x/weights/best.safetensors")
    half = tmp_path / "half.safetensors"
    half.write_bytes(best.read_bytes()[: best.stat().st_size // 2])
    code, _, err = glocal("predict", half, colours / "red" / "00.png")
    assert (code, "half.safetensors is not a whole safetensors file" in err) == (1, True)
    evil = tmp_path / "evil.pth"
    evil.write_bytes(b"cposix\nsystem\n(S'touch " + str(tmp_path / "ran").encode() + b"'\ntR.")
    code, _, err = glocal("train", colours, *TRAIN, "--weights", evil)
    assert (code, "evil.pth" in err) == (1, True)
    assert not (tmp_path / "ran").exists()


@pytest.mark.slow
def test_a_full_disk_ends_with_a_line_and_leaves_what_was_there(colours, tmp_path):
    """On a real full file system: a tmpfs of three megabytes, where this process may mount one."""
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(small)], capture_output=True, check=False
    ).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        command = [sys.executable, "-c", "from glocal.cli import main; main()", "train", str(colours), *TRAIN]
        done = subprocess.run(
            [*command, "--output", str(small)], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert done.returncode == 1
        assert "could not be written: No space left on device" in done.stderr
        assert "Traceback" not in done.stderr
        assert not [p for p in small.rglob(".*") if p.is_file()]
    finally:
        subprocess.run(["umount", str(small)], check=True)


@pytest.mark.slow
def test_the_main_job_reads_digits_right_within_its_time(tmp_path):
    command = [sys.executable, "-c", "from glocal.cli import main; main()", "train", "digits", "--json"]
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["val"]["top1"] >= 0.985
    print(f"digits: {told['val']['top1']:.2%} in {time.monotonic() - start:.0f} s")


@pytest.mark.pictures
@pytest.mark.slow
def test_real_photographs_train_and_are_evaluated(glocal, nette):
    code, out, err = glocal("check", nette)
    assert code == 0, out
    words = "--model cct_7_7x2_224 --recipe photos --img-size 64 --epochs 1".split()
    code, out, err = glocal("train", nette, *words, "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["val"]["n"] == 500
    assert told["val"]["top1"] > 0.12  # ten classes; one epoch beats guessing
    one = next((nette / "val").rglob("*.JPEG"))
    code, out, _ = glocal("predict", told["folder"], one, "--json")
    assert code == 0
    assert len(json.loads(out)["predictions"][0]["probabilities"]) == 10


def test_a_picture_of_one_pixel_and_an_animation_are_answered(glocal, colours, tmp_path):
    assert glocal("train", colours, *TRAIN, "--epochs", 1, "--name", "x", "--json")[0] == 0
    Image.fromarray(np.full((1, 1, 3), 200, np.uint8)).save(tmp_path / "dot.png")
    frames = [Image.new("P", (20, 10), i) for i in range(3)]
    frames[0].save(tmp_path / "move.gif", save_all=True, append_images=frames[1:])
    code, out, _ = glocal("predict", "runs/train/x", tmp_path / "dot.png", tmp_path / "move.gif", "--json")
    assert code == 0
    assert all(p["predicted"] for p in json.loads(out)["predictions"])
