"""No fault of a command, of a run's folder or of a file of weights passes in silence."""

import json
import os
import re
import resource
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from safetensors.torch import load_file

import glocal as package
from glocal.data import check
from glocal.data.checks import scan as scanning
from glocal.errors import DataError
from glocal.weights.files import read
from glocal.weights.files import save as save_weights
from torture.conftest import Glocal
from torture.planting import picture, save, sow
from torture.rights import powerless

RUN = Path("runs/train/run")
BEST = RUN / "weights/best.safetensors"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return sow(tmp_path / "data")


@pytest.fixture
def run(train: Glocal, root: Path) -> Path:
    """A finished run on the sound folder."""
    assert train(root).code == 0
    return RUN


@pytest.fixture
def settings(train: Glocal, root: Path):
    def of(*words: object) -> dict:
        told = train(root, *words)
        assert told.code == 0, told.words
        return yaml.safe_load((RUN / "run.yaml").read_text())["settings"]

    return of


# --------------------------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--epohcs", "3"], 2, "--epochs"),
        (["--augment", "strong"], 2, "No such option"),
        (["--set", "epocs=3"], 2, "did you mean 'epochs'"),
        (["--set", "frobnicate=3"], 2, "no setting 'frobnicate'"),
        (["--opt", "sgd", "--set", "eps=1e-3"], 2, "--set eps has no effect"),
        (["--mixup", "0", "--cutmix", "0", "--set", "mixup_prob=0.5"], 2, "--set mixup_prob has no effect"),
        (["--val-fraction", "0.3"], 3, "val_fraction 0.3 has no effect"),
        (["--group-by", "^(patient)_"], 3, "matches no picture"),
        (["--group-by", "^patient_"], 3, "groups in parentheses"),
        (["--lr", "nan"], 2, "--lr nan"),
        (["--lr", "-1"], 2, "--lr -1"),
        (["--epochs", "1.5"], 2, "--epochs 1.5: input should be a valid integer"),
        (["--set", "epochs=1.5"], 2, "--epochs 1.5"),
        (["--set", "epochs=yes"], 2, "--epochs"),
        (["--set", "batch_size=1:30"], 2, "--batch-size 1:30"),
        (["--model", "cct_2_3x2"], 1, "cct_2_3x2_32"),
        (["--device", "cuda:7"], 2, "this machine has"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_setting_that_is_wrong_or_does_nothing_stops(train: Glocal, root: Path, words: list, code: int, says: str):
    told = train(root, *words)
    assert told.code == code, told.words
    assert says in " ".join(told.err.split())
    assert "Traceback" not in told.words
    assert not list(Path().rglob("*.safetensors"))


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["--set", "lr=5e-4"], "lr", 5e-4),
        (["--set", "epochs=010"], "epochs", 10),
        (["--set", "seed=1_0"], "seed", 10),
        (["--set", "epochs=2.0"], "epochs", 2),
    ],
    ids=str,
)
def test_a_number_means_what_it_says_though_yaml_reads_it_otherwise(settings, words: list, name: str, value: float):
    assert settings(*words)[name] == value


def test_a_number_in_a_config_means_what_it_says(settings, tmp_path: Path):
    (tmp_path / "mine.yaml").write_text("settings:\n  lr: 5e-4\n  weight_decay: 1e-2\n")
    found = settings("--config", tmp_path / "mine.yaml")
    assert (found["lr"], found["weight_decay"]) == (5e-4, 1e-2)


def test_an_unknown_key_in_a_config_stops(train: Glocal, root: Path, tmp_path: Path):
    (tmp_path / "mine.yaml").write_text("settings:\n  learning_rate: 5e-4\n")
    told = train(root, "--config", tmp_path / "mine.yaml")
    assert (told.code, "no setting 'learning_rate'" in told.err) == (2, True)


def test_a_loss_that_is_not_finite_stops_with_its_step(train: Glocal, root: Path):
    told = train(root, "--opt", "sgd", "--lr", "1e18", "--epochs", 9, "--set", "clip_grad=null")
    assert told.code == 1
    assert re.search(r"the loss is (nan|inf) at step \d+|not finite after step \d+", told.err), told.err
    for file in RUN.rglob("*.safetensors"):
        assert all(bool(t.isfinite().all()) for t in load_file(file).values())


@pytest.mark.parametrize("batch", [3, 5, 7, 128])
def test_batches_that_do_not_divide_the_pictures_train_on_pairs_or_say_so(train: Glocal, tmp_path: Path, batch: int):
    root = sow(tmp_path / "odd", {"train": {"cat": 4, "dog": 3}, "val": {"cat": 2, "dog": 2}})
    told = train(root, "--batch-size", batch)
    assert "Traceback" not in told.words
    assert told.code == 0 or (told.code == 2 and "even" in told.err), told.words


# -------------------------------------------------------------------------------------------------------------- runs


def test_a_run_is_never_overwritten(train: Glocal, root: Path, run: Path):
    before = BEST.read_bytes()
    assert train(root, "--seed", 1).code == 0
    assert BEST.read_bytes() == before
    assert Path("runs/train/run-2/run.yaml").is_file()


def test_an_output_that_cannot_be_written_stops_with_its_name(train: Glocal, root: Path, tmp_path: Path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with powerless():
        told = train(root, "--output", tmp_path / "locked" / "runs")
    assert (told.code, "locked" in told.err, "Permission denied" in told.err) == (1, True, True)


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file grows beyond 300 kB; like a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


def test_a_full_disk_stops_with_the_file_and_leaves_no_part_of_it(train: Glocal, root: Path, small_files: None):
    told = train(root)
    assert told.code == 1
    assert re.search(r"\S+ could not be written: File too large", told.err), told.err
    assert not [p for p in RUN.rglob(".*") if p.is_file()]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda root: (root / "train/cat/0.png").unlink(), r"train/cat/0\.png: there is no such file"),
        (lambda root: save(root, "train/cat/0.png", picture("another")), r"train/cat/0\.png: not the file it was"),
        (lambda root: (root / "val/dog/1.png").write_bytes(b""), r"val/dog/1\.png: zero bytes"),
        (shutil.rmtree, "there is no such folder"),
        (
            lambda root: (shutil.move(root / "train/cat/0.png", root / "x"), shutil.move(root / "train/dog/0.png", root / "train/cat"), shutil.move(root / "x", root / "train/dog/0.png")),
            r"train/cat/0\.png: not the file it was",
        ),
    ],
    ids=["gone", "another", "emptied", "folder gone", "labels swapped"],
)  # fmt: skip
def test_a_run_does_not_go_on_with_other_pictures(glocal: Glocal, root: Path, run: Path, change, says: str):
    change(root)
    for words in (("train", "--resume", run), ("val", run)):
        told = glocal(*words)
        assert told.code == 3, told.words
        assert re.search(says, told.err), told.err


def test_pictures_added_later_change_no_number_of_a_run(glocal: Glocal, root: Path, run: Path):
    before = json.loads(glocal("val", run, "--json").out)
    for i in range(5):
        save(root, f"val/cat/new{i}.png")
    assert json.loads(glocal("val", run, "--json").out) == before


@pytest.mark.parametrize(
    ("pattern", "name"),
    [(name, name) for name in ("run.yaml", "data.json", "architecture.yaml", "state/last.json")]
    + [("state/step-*/*", "last.json")],
)
def test_a_file_of_a_run_cut_in_half_stops_with_its_name(glocal: Glocal, run: Path, pattern: str, name: str):
    file = next(run.glob(pattern))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    told = glocal("train", "--resume", run)
    assert told.code in (1, 2, 3), told.words
    assert "Traceback" not in told.words
    assert name in told.err, told.err


def test_what_is_no_run_cannot_be_resumed(glocal: Glocal, root: Path):
    told = glocal("train", "--resume", root)
    assert (told.code, "is not the folder of a run" in told.err) == (1, True)


def test_the_test_split_is_opened_by_asking_and_each_time_is_counted(glocal: Glocal, train: Glocal, root: Path):
    sow(root, {"test": {"cat": 3, "dog": 3}})
    told = train(root)
    assert told.code == 0
    assert "test:" not in told.out
    assert not (RUN / "tests.csv").exists()
    glocal("val", RUN)
    assert not (RUN / "tests.csv").exists()
    for times in ("1 time ", "2 times "):
        assert f"has now been opened {times}" in glocal("val", RUN, "--split", "test").out
    assert len((RUN / "tests.csv").read_text().splitlines()) == 3


def test_a_split_that_is_not_there_stops(glocal: Glocal, run: Path):
    told = glocal("val", run, "--split", "test")
    assert (told.code, "has no split 'test'; it has train, val" in told.err) == (3, True)


# ------------------------------------------------------------------------------------------------------------ weights


def _changed(change) -> None:
    """Rewrites the best weights."""
    found = read(BEST)
    save_weights(BEST, change(dict(found.tensors)), meta={k: v for k, v in found.meta.items() if k != "format"})


@pytest.mark.parametrize("verb", ["val", "predict"])
def test_weights_that_are_not_finite_give_no_number(glocal: Glocal, root: Path, run: Path, verb: str):
    _changed(lambda tensors: {k: t * float("nan") for k, t in tensors.items()})
    told = glocal(verb, run, *([root / "val/cat/0.png"] if verb == "predict" else []))
    assert told.code == 1, told.words
    assert "best.safetensors" in told.err


def test_weights_that_lack_a_part_stop_with_its_key(glocal: Glocal, run: Path):
    gone = []
    _changed(lambda tensors: (gone.append(sorted(tensors)[0]), {k: t for k, t in tensors.items() if k != gone[0]})[1])
    told = glocal("val", run)
    assert (told.code, gone[0] in told.err) == (1, True), told.words


def test_weights_of_another_architecture_stop_with_their_keys(train: Glocal, root: Path, run: Path):
    told = train(root, "--model", "convmixer_256_8_p2_k5_32", "--weights", BEST)
    assert told.code == 1, told.words
    assert "best.safetensors" in told.err


@pytest.mark.parametrize("kind", ["cut", "text", "code", "folder"])
def test_a_file_that_holds_no_weights_stops_with_its_name(
    train: Glocal, root: Path, run: Path, tmp_path: Path, kind: str
):
    file = tmp_path / {"code": "odd.pth"}.get(kind, "odd.safetensors")
    if kind == "folder":
        file.mkdir()
    else:
        evil = b"cposix\nsystem\n(S'touch " + bytes(tmp_path / "ran") + b"'\ntR."
        file.write_bytes({"cut": BEST.read_bytes()[:1000], "text": b"version https://git-lfs", "code": evil}[kind])
    told = train(root, "--weights", file)
    assert (told.code, file.name in told.err) == (1, True), told.words
    assert not (tmp_path / "ran").exists()


def test_the_head_has_the_classes_of_the_pictures(train: Glocal, tmp_path: Path):
    train(
        sow(
            tmp_path / "three",
            {"train": dict.fromkeys(("bird", "cat", "dog"), 4), "val": dict.fromkeys(("bird", "cat", "dog"), 2)},
        )
    )
    meta = read(BEST).meta
    assert list(meta["classes"]) == ["bird", "cat", "dog"]
    ends = {len(tensor) for key, tensor in load_file(BEST).items() if key.startswith("head") and key.endswith("bias")}
    assert 3 in ends
    assert 1000 not in ends


# ------------------------------------------------------------------------------------------------------- predict, val


def test_a_picture_that_is_not_there_is_named_and_the_others_are_answered(glocal: Glocal, root: Path, run: Path):
    (root / "cut.png").write_bytes((root / "val/cat/0.png").read_bytes()[:99])
    os.mkfifo(root / "pipe.png")
    odd = ["nowhere.png", root / "cut.png", root / "pipe.png"]
    told = glocal("predict", run, *odd, root / "val/cat/0.png")
    assert told.code == 1
    assert all(str(path) in told.err for path in odd)
    assert re.search(r"(cat|dog) +\d.*val/cat/0\.png", told.out)


@pytest.mark.parametrize("place", ["an empty folder", "a folder of texts"])
def test_a_folder_without_pictures_is_no_answer(glocal: Glocal, run: Path, tmp_path: Path, place: str):
    (tmp_path / "place").mkdir()
    if place == "a folder of texts":
        (tmp_path / "place/a.txt").touch()
    told = glocal("predict", run, tmp_path / "place")
    assert told.code != 0, told.words
    assert "place" in told.err


def test_names_are_shown_as_they_are(glocal: Glocal, train: Glocal, tmp_path: Path):
    odd = ("[red]", "[b]dog[")
    root = sow(tmp_path / "data", {"train": dict.fromkeys(odd, 8), "val": dict.fromkeys(odd, 4)})
    save(root, "[bold]new.png")
    assert all(name in glocal("check", root).out for name in odd)
    assert train(root).code == 0
    told = glocal("predict", RUN, root / "[bold]new.png", "--top", 2)
    assert told.code == 0
    assert all(name in told.out for name in (*odd, "[bold]new.png"))


def test_a_fault_is_one_line_whatever_its_path(glocal: Glocal, root: Path):
    (root / "train/cat/a\nerror: all is well\x1b[2J\u202e.png").touch()
    told = glocal("check", root)
    assert told.code == 3
    assert r"train/cat/a\nerror: all is well\x1b[2J\u202e.png: zero bytes" in told.out


@pytest.mark.parametrize("size", [(5, 7), (64, 20), (1, 1), (1, 3000), (300, 2)])
def test_pictures_of_another_size_than_the_networks_are_answered(glocal: Glocal, run: Path, root: Path, size):
    save(root, "other.png", picture("other", size))
    told = glocal("predict", run, root / "other.png", "--json")
    assert told.code == 0
    assert sum(json.loads(told.out)["predictions"][0]["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_a_line_of_pixels_does_not_fill_the_memory():
    preprocess = package.data.Preprocess(size=(224, 224))
    line = np.repeat(np.arange(40_000, dtype=np.uint32)[None, :, None], 3, 2).astype(np.uint8)
    assert preprocess.resize(line).shape == (3, 224, 224)  # scaled whole, it would have 2,007,040,000 pixels
    assert preprocess.resize(line.transpose(1, 0, 2)).shape == (3, 224, 224)


def test_a_network_trains_at_another_resolution_and_aspect(train: Glocal, root: Path):
    told = train(root, "--img-size", "20x28")
    assert (told.code, "cropped to it" in told.out, "20x28" in told.out) == (0, True, True)


def test_classes_are_matched_by_name_where_another_folder_lacks_some(glocal: Glocal, train: Glocal, tmp_path: Path):
    three = sow(
        tmp_path / "three",
        {"train": dict.fromkeys(("bird", "cat", "dog"), 8), "val": dict.fromkeys(("bird", "cat", "dog"), 2)},
    )
    assert train(three, "--epochs", 3).code == 0
    two = sow(tmp_path / "two", {"train": dict.fromkeys(("cat", "dog"), 2), "val": dict.fromkeys(("cat", "dog"), 6)})
    found = json.loads(glocal("val", RUN, two, "--json").out)
    answers = package.predict(RUN, [two / f"val/{c}/{i}.png" for c in ("cat", "dog") for i in range(6)])
    assert found["top1"] == np.mean([p.predicted[0] == Path(p.path).parent.name for p in answers])
    assert found["n"] == 12


def test_a_folder_with_a_class_that_the_network_does_not_know_stops(glocal: Glocal, run: Path, tmp_path: Path):
    other = sow(tmp_path / "other", {"train": {"cat": 2, "emu": 2}, "val": {"cat": 2, "emu": 2}})
    told = glocal("val", run, other)
    assert (told.code, "does not know: emu" in told.err) == (3, True)


def test_pictures_that_the_network_was_trained_on_are_counted_where_it_is_evaluated(
    glocal: Glocal, train: Glocal, tmp_path: Path
):
    """All pictures of a folder without splits are scored: those of the run's train, and the eight of its val."""
    flat = sow(tmp_path / "flat", {"": {"cat": 20, "dog": 20}})
    assert train(flat, "--seed", 7).code == 0
    told = glocal("val", RUN, flat)
    assert "32 of the 40 pictures were trained on" in told.words, told.words
    assert "8 of the 40 pictures" in told.words


# --------------------------------------------------------------------------------------- between check and the last step


def test_a_picture_that_vanishes_after_the_check_stops_with_its_name(root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scanning, "MEMORY_BYTES", 1)
    data = check(root).require_data()
    (root / data.train.paths[0]).unlink()
    with pytest.raises(DataError, match=re.escape(data.train.paths[0])):
        data.train.picture(0)


def test_a_picture_that_changes_after_the_check_stops_with_its_name(root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scanning, "MEMORY_BYTES", 1)
    data = check(root).require_data()
    Image.fromarray(picture("another")).save(root / data.train.paths[0])
    with pytest.raises(DataError, match=re.escape(data.train.paths[0])):
        data.train.picture(0)


def test_a_run_whose_picture_vanishes_ends_with_three(train: Glocal, root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scanning, "MEMORY_BYTES", 1)
    monkeypatch.setattr("glocal.runs.train.RunFolder.start", lambda *_: (root / "val/cat/0.png").unlink())
    told = train(root)
    assert told.code == 3, told.words
    assert "val/cat/0.png" in told.err
